"""The Celery application and its beat table: what runs later, and how often."""

from __future__ import annotations

import os
import warnings

from celery import Celery
from celery.exceptions import SecurityWarning
from kombu.transport import TRANSPORT_ALIASES

# Messages are JSON, so a worker that runs as root cannot be made to unpickle anything.
warnings.filterwarnings("ignore", category=SecurityWarning)
TRANSPORT_ALIASES["folders"] = "portal.broker:Transport"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("mercato")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="jobs")
# Every entry may run twice, late, or at the same time as itself. Seconds.
app.conf.beat_schedule = {
    "settle-leases": {"task": "billing.jobs.settle_leases", "schedule": 10.0},
    "expire-credit": {"task": "billing.jobs.expire_credit", "schedule": 60.0},
    "judge-objectives": {"task": "billing.jobs.judge_objectives", "schedule": 600.0},
    "tell-budgets": {"task": "billing.jobs.tell_budgets", "schedule": 15.0},
    "roll-up-usage": {"task": "billing.jobs.roll_up_usage", "schedule": 10.0},
    "archive-usage": {"task": "billing.jobs.archive_usage", "schedule": 3600.0},
    "mend-usage": {"task": "billing.jobs.mend_usage", "schedule": 3600.0},
    "credit-volume": {"task": "billing.jobs.credit_volume", "schedule": 3600.0},
    "report-usage": {"task": "billing.jobs.report_usage", "schedule": 15.0},
    "send-mails": {"task": "portal.accounts.jobs.send_mails", "schedule": 10.0},
    "accrue-earnings": {"task": "billing.jobs.accrue_earnings", "schedule": 300.0},
    "report-late-usage": {"task": "billing.jobs.report_late_usage", "schedule": 3600.0},
    "reconcile": {"task": "billing.jobs.reconcile", "schedule": 300.0},
    "reconcile-money": {"task": "billing.jobs.reconcile_money", "schedule": 600.0},
    "pay-publishers": {"task": "billing.jobs.pay_publishers", "schedule": 30.0},
    "invoice-late-usage": {"task": "billing.jobs.invoice_late_usage", "schedule": 1800.0},
    "advance-dunning": {"task": "billing.jobs.advance_dunning", "schedule": 300.0},
    "recharge": {"task": "billing.jobs.recharge", "schedule": 5.0},
    "send-corrections": {"task": "billing.jobs.send_corrections", "schedule": 30.0},
    "handle-stripe-events": {"task": "billing.jobs.handle_stripe_events", "schedule": 15.0},
    "keep-figures": {"task": "inference.jobs.keep_figures", "schedule": 30.0},
    "watch-versions": {"task": "inference.jobs.watch_versions", "schedule": 30.0},
    "tell-catalog": {"task": "inference.jobs.tell_catalog", "schedule": 300.0},
    "make-predictions": {"task": "inference.jobs.make_predictions", "schedule": 5.0},
    "work-on-batches": {"task": "inference.jobs.work_on_batches", "schedule": 5.0},
    "run-golden-sets": {"task": "inference.jobs.run_golden_sets", "schedule": 5.0},
    "send-webhooks": {"task": "inference.jobs.send_webhooks", "schedule": 5.0},
    "purge-predictions": {"task": "inference.jobs.purge_predictions", "schedule": 3600.0},
    "purge-kept-answers": {"task": "inference.jobs.purge_kept_answers", "schedule": 3600.0},
    "keep-listings": {"task": "marketplace.jobs.keep_listings", "schedule": 30.0},
    "announce-prices": {"task": "marketplace.jobs.announce_prices", "schedule": 600.0},
    "announce-retirements": {"task": "marketplace.jobs.announce_retirements", "schedule": 600.0},
    "tell-take-downs": {"task": "marketplace.jobs.tell_take_downs", "schedule": 30.0},
    "bring-in-models": {"task": "marketplace.jobs.bring_in_models", "schedule": 10.0},
    "rehearse-submissions": {"task": "inference.jobs.rehearse_submissions", "schedule": 3.0},
    "drop-submissions": {"task": "marketplace.jobs.drop_submissions", "schedule": 3600.0},
    "charge-runs": {"task": "marketplace.jobs.charge_runs", "schedule": 30.0},
    "purge-runs": {"task": "marketplace.jobs.purge_runs", "schedule": 3600.0},
    "examine-datasets": {"task": "marketplace.jobs.examine_datasets", "schedule": 10.0},
    "keep-neighbours": {"task": "marketplace.jobs.keep_neighbours", "schedule": 1800.0},
    "keep-meanings": {"task": "marketplace.jobs.keep_meanings", "schedule": 30.0},
    "count-reviews": {"task": "marketplace.jobs.count_reviews", "schedule": 600.0},
    "train-queued": {"task": "marketplace.jobs.train_queued", "schedule": 10.0},
}

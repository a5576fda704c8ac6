"""What billing does later. Each job may run twice, late, or beside itself."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from billing.earnings import accrual, schedule, take_backs
from billing.gate import alerts, leases, recounting
from billing.ledger import lots, postings
from billing.metering import partitions, rollups, volume
from billing.objectives import judging
from billing.plans import dunning
from billing.stripe import (
    clearing,
    connect,
    corrections,
    drafts,
    inbox,
    late,
    recharging,
    reconciliation,
    refunds,
    reports,
    sending,
    transfers,
)


@shared_task
def settle_leases() -> None:
    """Leases of processes that died: into the ledger. New caps: with what was let in before them."""
    now = timezone.now()
    leases.sweep(now)
    recounting.recount(now)


@shared_task
def expire_credit() -> None:
    """Credit that is over: out of the balances."""
    for lot in lots.expired(timezone.now()):
        postings.expire(lot.pk)


@shared_task
def judge_objectives() -> None:
    """Days that are over: what was promised and not kept is credited."""
    judging.judge_due(timezone.now())


@shared_task
def tell_budgets() -> None:
    """Thresholds of budgets that were reached: to those who run the workspace."""
    alerts.tell(timezone.now())


@shared_task
def roll_up_usage() -> None:
    """The sums that commits left: one row an hour and group."""
    rollups.roll_up(timezone.now())


@shared_task
def credit_volume() -> None:
    """What volume prices billed above the total of a month that is over: back to its workspace."""
    volume.credit(timezone.now())


@shared_task
def archive_usage() -> None:
    """Old usage: into files. On PostgreSQL, tables for the months to come."""
    now = timezone.now()
    partitions.make_ahead(now)
    from billing.metering import archive  # loads pyarrow, which other jobs do not need

    archive.archive(now)


@shared_task
def mend_usage() -> None:
    """Usage that processes of the version before recorded: into the sums."""
    hour = rollups.hour_of(timezone.now())
    rollups.mend(hour - timedelta(days=1), hour)


@shared_task
def report_usage() -> None:
    """Metered usage: to Stripe's meter."""
    now = timezone.now()
    reports.make(now)
    sending.send_due(now)


@shared_task
def report_late_usage() -> None:
    """Hours that were over long ago and grew: to Stripe's meter too."""
    reports.sweep(timezone.now())


@shared_task
def reconcile() -> None:
    """Days that are over, and those of drafts that differ: compared with Stripe's meter."""
    now = timezone.now()
    reconciliation.check_due(now)
    drafts.watch(now)


@shared_task
def reconcile_money() -> None:
    """Days that are over: Stripe's balance compared with the ledger, and Stripe's fees posted."""
    clearing.check_due(timezone.now())


@shared_task
def invoice_late_usage() -> None:
    """Usage that is on no invoice: on one."""
    late.bill_due(timezone.now())


@shared_task
def accrue_earnings() -> None:
    """Usage of the hours that are over: to those who published the models; and what was refunded: back."""
    now = timezone.now()
    accrual.accrue(now)
    take_backs.carry_out(now)


@shared_task
def pay_publishers() -> None:
    """Paydays that have come: payouts; open payouts: sent; accounts of publishers: as Stripe says they are."""
    now = timezone.now()
    connect.look_at_all(now)
    schedule.make_due(now)
    transfers.send_due(now)


@shared_task
def advance_dunning() -> None:
    """Workspaces that do not pay: to the step that their time has come for."""
    dunning.advance(timezone.now())


@shared_task
def recharge() -> None:
    """Credit that runs low: bought, where that is wished."""
    recharging.run(timezone.now())


@shared_task
def send_corrections() -> None:
    """Amounts for next invoices, and refunds: to Stripe."""
    corrections.send_due()
    refunds.send_due()


@shared_task
def handle_stripe_event(event_id: str) -> None:
    """What Stripe told: done. One that fails stays for the next round."""
    inbox.handle(event_id)


@shared_task
def handle_stripe_events() -> None:
    """Events whose message was lost or that failed: again."""
    for event_id in inbox.stuck(timezone.now()):
        handle_stripe_event.delay(event_id)

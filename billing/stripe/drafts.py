"""Drafts of periods that just ended, against what was reported for them, while a correction can still be on the invoice."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Q, Sum

from billing.stripe import invoices, reconciliation
from billing.stripe.models import Invoice, Report, ReportState

log = logging.getLogger(__name__)
DRAFT_FOR = timedelta(hours=2)  # Stripe makes them final after one
LAST = timedelta(days=1)  # of a period: earlier days were compared before


def watch(now: datetime) -> int:
    """Has the last days of drafts that differ compared at once; how many drafts. Raises stripe.StripeError."""
    found = 0
    drafts = Invoice.objects.filter(status="draft", created_at__gt=now - DRAFT_FOR, usage_end__lte=now)
    for stripe_id in list(drafts.values_list("pk", flat=True)):
        invoices.settle(stripe_id)  # as it is now
        draft = Invoice.objects.filter(pk=stripe_id).first()
        if draft is None or draft.usage_start is None or draft.usage_end is None:
            continue
        inside = Q(workspace=draft.workspace_id, timestamp__gte=draft.usage_start, timestamp__lt=draft.usage_end)
        told = Report.objects.filter(inside, state=ReportState.ACCEPTED).aggregate(n=Sum("value", default=0))["n"]
        if told != draft.usage_micros:
            log.warning("draft %s bills %d micro-dollars, %d were reported", stripe_id, draft.usage_micros, told)
            reconciliation.suspect(inside & Q(timestamp__gte=draft.usage_end - LAST), now)
            found += 1
    return found

"""What volume prices billed above a month's total goes back once the month is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from billing.ledger import postings
from billing.metering.models import MonthInTiers
from billing.metering.months import first_day
from billing.prices.month import month_from

OPEN_FOR = timedelta(hours=1)  # an event is stamped when its commit begins: none is this late


def credit(now: datetime) -> int:
    """Looks at the months that are over, once each; what was given back in all, in nano-dollars."""
    given = 0
    for pk in list(_ended(now).values_list("pk", flat=True)):
        with transaction.atomic():
            month = _ended(now).select_for_update().filter(pk=pk).first()
            if month is None:
                continue
            nanos = month_from(month.state).excess_nanos()
            if nanos:
                postings.service_credit(
                    month.workspace_id,
                    nanos,
                    f"volume:{month.workspace_id}:{month.product}:{month.month:%Y-%m}",
                    f"Volume price of {month.month:%Y-%m}",
                )
            MonthInTiers.objects.filter(pk=pk).update(credited_nanos=nanos)
        given += nanos
    return given


def _ended(now: datetime) -> QuerySet[MonthInTiers]:
    return MonthInTiers.objects.filter(credited_nanos=None, month__lt=first_day(now - OPEN_FOR))

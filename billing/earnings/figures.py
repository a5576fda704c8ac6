"""What a publisher earned, by day and by model, and what is still being counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDate

from billing.earnings import agreements, usage
from billing.earnings.accrual import OPEN_FOR
from billing.earnings.models import Earning, Payout, PayoutState
from billing.earnings.reversals import TakeBack
from billing.metering.sums import hour_of
from billing.money import NANOS_IN_CENT


@dataclass(frozen=True, slots=True)
class Sums:
    """Nano-dollars: what others used, and what of it is the publisher's."""

    label: str  # a day, or a model
    gross_nanos: int
    net_nanos: int

    @property
    def fee_nanos(self) -> int:
        """The platform's share."""
        return self.gross_nanos - self.net_nanos


def by_day(seller_id: str, start: datetime, end: datetime) -> list[Sums]:
    """Each day of the time, the oldest first; days without earnings are zeros."""
    rows = _earnings(seller_id, start, end).annotate(day=TruncDate("hour")).values_list("day").order_by()
    sums = {day: (int(g), int(n)) for day, g, n in rows.annotate(g=Sum("gross_nanos"), n=Sum("net_nanos"))}
    return [Sums(day.isoformat(), *sums.get(day, (0, 0))) for day in _days(start, end)]


def by_model(seller_id: str, start: datetime, end: datetime) -> list[Sums]:
    """Each model that earned in the time, the best first."""
    rows = _earnings(seller_id, start, end).values_list("model")
    sums = rows.annotate(g=Sum("gross_nanos"), n=Sum("net_nanos")).order_by("-n", "model")
    return [Sums(model, int(gross), int(net)) for model, gross, net in sums]


def each(seller_id: str, start: datetime, end: datetime) -> Iterator[Earning]:
    """The earnings of the time, one by one, the oldest first."""
    return _earnings(seller_id, start, end).order_by("hour", "model", "part").iterator(chunk_size=2_000)


def counting(seller_id: str, now: datetime) -> Sums:
    """What was used in the hours that are not over: earned when they are."""
    gross = usage.since(seller_id, hour_of(now - OPEN_FOR))
    return Sums("", gross, agreements.terms(seller_id, now).net(gross))


def has_earned(seller_id: str) -> bool:
    """Whether there was ever an earning."""
    return Earning.objects.filter(seller_id=seller_id).exists()


def paid_nanos(seller_id: str) -> int:
    """All that was paid out and did not come back."""
    rows = Payout.objects.filter(seller_id=seller_id, state__in=[PayoutState.PAID, PayoutState.RETURNED])
    sums = rows.aggregate(paid=Sum("cents", default=0), back=Sum("reversed_cents", default=0))
    return (int(sums["paid"]) - int(sums["back"])) * NANOS_IN_CENT


def taken_back(seller_id: str, start: datetime, end: datetime) -> list[TakeBack]:
    """What was taken back in the time, the latest first, with the reasons."""
    rows = TakeBack.objects.filter(seller_id=seller_id, created_at__gte=start, created_at__lt=end)
    return list(rows.select_related("reversal").order_by("-created_at")[:200])


def _earnings(seller_id: str, start: datetime, end: datetime) -> QuerySet[Earning]:
    return Earning.objects.filter(seller_id=seller_id, hour__gte=start, hour__lt=end)


def _days(start: datetime, end: datetime) -> list[date]:
    count = ((end - timedelta(microseconds=1)).date() - start.date()).days + 1
    return [start.date() + timedelta(days=at) for at in range(count)]

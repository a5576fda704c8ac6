"""Usage becomes earnings: once an hour is over, exactly once, to the nano-dollar.

net = gross × (10000 − fee) / 10000 has fractions; for each publisher Σ net = floor(Σ gross × (10000 − fee) / 10000), since
what is under a nano-dollar is carried to the next earning (Publisher.carried).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Sum

from billing.earnings import agreements, usage
from billing.earnings.models import WHOLE_BP, Earning
from billing.earnings.usage import HOUR
from billing.ledger import postings
from billing.metering.sums import hour_of
from portal.accounts.models import Workspace

# An event is stamped by its host when it is committed; this is how far their clocks may differ.
OPEN_FOR = timedelta(minutes=5)
LATE = timedelta(days=3)  # hours this old are compared again each round


def accrue(now: datetime) -> int:
    """Earnings of the hours that are over; how many rows. Only hours whose sum differs from what was earned are read."""
    end = hour_of(now - OPEN_FOR)
    last = Earning.objects.aggregate(last=Max("hour"))["last"]
    start = min(last, hour_of(now - LATE)) if last else datetime(1970, 1, 1, tzinfo=now.tzinfo)
    used, earned = usage.by_hour(start, end), _earned(start, end)
    return sum(_accrue_hour(hour, now) for hour in sorted(used) if used[hour] != earned.get(hour, 0))


def _earned(start: datetime, end: datetime) -> dict[datetime, int]:
    sums = Earning.objects.filter(hour__gte=start, hour__lt=end).values_list("hour").order_by()
    return {hour: int(nanos) for hour, nanos in sums.annotate(nanos=Sum("gross_nanos"))}


def _accrue_hour(hour: datetime, now: datetime) -> int:
    sellers = usage.of_hour(hour)
    known = Workspace.objects.filter(pk__in=sellers).values_list("pk", flat=True)
    return sum(_accrue(seller_id, hour, sellers[seller_id], now) for seller_id in sorted(known))


def _accrue(seller_id: str, hour: datetime, used: dict[str, int], now: datetime) -> int:
    """The hour's next part for each model whose usage has grown."""
    made = 0
    with transaction.atomic():
        publisher = agreements.locked(seller_id)
        held = agreements.terms(seller_id, hour)
        parts: dict[str, list[int]] = {}
        for model, gross in Earning.objects.filter(seller_id=seller_id, hour=hour).values_list("model", "gross_nanos"):
            parts.setdefault(model, []).append(gross)
        for model, total in used.items():
            before = parts.get(model, [])
            gross = total - sum(before)
            if gross <= 0:
                continue
            net, publisher.carried = divmod(publisher.carried + gross * (WHOLE_BP - held.fee_bp), WHOLE_BP)
            earning = Earning.objects.create(
                seller_id=seller_id, model=model, hour=hour, part=len(before) + 1, gross_nanos=gross,
                fee_bp=held.fee_bp, net_nanos=net, matures_at=hour + HOUR + held.hold, accrued_at=now,
            )  # fmt: skip
            postings.earn(seller_id, net, f"earn:{earning.pk}", f"{model} {hour:%Y-%m-%d %H}h")
            made += 1
        publisher.save(update_fields=["carried"])
    return made

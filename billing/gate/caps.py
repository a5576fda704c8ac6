"""Spending caps of keys: a day, a week, a month, in all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.errors import MoneyInvalid
from billing.gate.models import Cap, Lease, Period
from billing.metering.models import UsageEvent
from portal.accounts.models import Key
from portal.kit.caches import RecentValues

ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)  # when the one period of a total cap began


def set_cap(key: Key, limit_nanos: int, period: str = Period.TOTAL) -> Cap:
    """Caps what the key may spend in a period. Raises MoneyInvalid below what it has spent or been lent in this one."""
    if period not in Period.values:
        raise MoneyInvalid(f"A cap is for one of {', '.join(Period.values)}.", param="/caps")
    start = bounds(period, timezone.now())[0]
    with transaction.atomic():
        cap, new = Cap.objects.select_for_update().get_or_create(
            key=key, period=period, defaults={"limit_nanos": limit_nanos, "period_start": start}
        )
        if new:
            cap.used_nanos = _granted(key.pk, start)
        else:
            _begin_anew(cap, start)
        if limit_nanos < cap.used_nanos:
            raise MoneyInvalid(_("The cap is below what this key has used already."), param=f"/caps/{period}")
        cap.limit_nanos = limit_nanos
        cap.save()
    _capped.forget(key.pk)
    return cap


def drop_cap(key: Key, period: str) -> None:
    """The key may spend what its workspace may."""
    Cap.objects.filter(key=key, period=period).delete()


_capped: RecentValues[str, bool] = RecentValues(
    lambda key_id: Cap.objects.filter(key_id=key_id).exists(), settings.CATALOG_MAX_AGE_S
)


def is_capped(key_id: str) -> bool:
    """Whether the key has a cap of its own, at most a second old."""
    return bool(key_id) and _capped.get(key_id)


def locked(key_id: str, now: datetime) -> list[Cap]:
    """The key's caps, locked, each in its current period."""
    caps = list(Cap.objects.select_for_update().filter(key_id=key_id).order_by("pk"))
    for cap in caps:
        if _begin_anew(cap, bounds(cap.period, now)[0]):
            cap.save(update_fields=["used_nanos", "period_start"])
    return caps


@dataclass(frozen=True, slots=True)
class Standing:
    """A cap in its current period, to be read. `used_nanos` counts what is lent too, `spent_nanos` only what was spent."""

    period: str
    limit_nanos: int
    used_nanos: int
    spent_nanos: int
    until: datetime | None  # when it starts anew


def standings(key_ids: Collection[str], now: datetime) -> dict[str, list[Standing]]:
    """The keys' caps as they stand, the shortest period first; changes and locks nothing."""
    leases = list(
        Lease.objects.filter(key_id__in=key_ids, closed_at=None).values_list(
            "pk", "key_id", "opened_at", "granted_nanos"
        )
    )
    events = UsageEvent.objects.filter(lease_id__in=[lease[0] for lease in leases]).order_by()
    spent = dict(events.values_list("lease_id").annotate(nanos=Sum("cost_nanos")))
    found: dict[str, list[Standing]] = {key_id: [] for key_id in key_ids}
    for cap in Cap.objects.filter(key_id__in=key_ids):
        start, until = bounds(cap.period, now)
        used = cap.used_nanos if cap.period_start >= start else 0
        idle = sum(
            granted - spent.get(lease_id, 0)
            for lease_id, key_id, opened_at, granted in leases
            if key_id == cap.key_id and opened_at >= start
        )
        found[cap.key_id].append(Standing(cap.period, cap.limit_nanos, used, max(used - idle, 0), until))
    for caps in found.values():
        caps.sort(key=lambda cap: Period.values.index(cap.period))
    return found


def left(caps: Iterable[Cap]) -> int | None:
    """What may still be spent under all of them; None without any."""
    return min((cap.limit_nanos - cap.used_nanos for cap in caps), default=None)


def ends(caps: Iterable[Cap], now: datetime) -> datetime | None:
    """When the first of their periods ends: a lease must not reach into the next."""
    return min((end for cap in caps if (end := bounds(cap.period, now)[1]) is not None), default=None)


def lend(caps: Iterable[Cap], nanos: int) -> None:
    """Counts a grant. In the transaction that locked them."""
    Cap.objects.filter(pk__in=[cap.pk for cap in caps]).update(used_nanos=F("used_nanos") + nanos)


def give_back(key_id: str, opened_at: datetime, nanos: int) -> None:
    """What a lease did not spend can be spent again, in the periods that it was opened in."""
    Cap.objects.filter(key_id=key_id, period_start__lte=opened_at).update(used_nanos=F("used_nanos") - nanos)


def bounds(period: str, now: datetime) -> tuple[datetime, datetime | None]:
    """When the period around `now` began and when it ends."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == Period.DAY:
        return day, day + timedelta(days=1)
    if period == Period.WEEK:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    if period == Period.MONTH:
        first = day.replace(day=1)
        return first, (first + timedelta(days=32)).replace(day=1)
    return ALWAYS, None


def _begin_anew(cap: Cap, start: datetime) -> bool:
    if cap.period_start >= start:
        return False
    cap.period_start, cap.used_nanos = start, _granted(cap.key_id, start)
    return True


def _granted(key_id: str, since: datetime) -> int:
    """What the key's open leases of the period were granted, and its closed ones spent.

    Only leases that were opened while the key had a cap name it; what it spent before is not counted.
    """
    leases = Lease.objects.filter(key_id=key_id, opened_at__gte=since)
    lent = leases.filter(closed_at=None).aggregate(nanos=Sum("granted_nanos"))["nanos"] or 0
    spent = leases.exclude(closed_at=None).aggregate(nanos=Sum("spent_nanos"))["nanos"] or 0
    return lent + spent

"""Sums of usage by the hour and by the day: folded as they come, and made again from the events as often as one likes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain, groupby
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import Count, Manager, Max, Min, Model, QuerySet, Sum

from billing.metering import sums
from billing.metering.files import archived, used_in_files
from billing.metering.log import ALWAYS, LATER
from billing.metering.models import Archive, DayRollup, Rollup, SumOfUsage, UsageEvent
from billing.metering.sums import FIELDS, Group, day_of, hour_of, summed

__all__ = ["differences", "hour_of", "mend", "rebuild", "roll_up"]

MOST_A_FOLD = 2_000  # rows; SQLite's other writers wait for one fold
MOST_A_REWRITE = 20_000  # events, as above
K = TypeVar("K")
M = TypeVar("M", bound=Model)
S = TypeVar("S", bound=SumOfUsage)
_NONE = (0, 0)
_LOCK = 7_274_001  # PostgreSQL advisory lock: two folds at once would write older sums over newer ones


def roll_up(now: datetime) -> int:
    """Folds the rows that commits added to hours begun by now; how many. Sums stay the same, at every moment."""
    folded = 0
    while count := _fold(now):
        folded += count
        if count < MOST_A_FOLD:
            break
    return folded


def _fold(now: datetime) -> int:
    with transaction.atomic():
        _one_at_a_time()
        # SQLite uses the partial index only if the query says what the index says.
        waiting = Rollup.objects.exclude(part="").filter(hour__lte=now).order_by("workspace_id", "part")
        parts = list(waiting.select_for_update()[:MOST_A_FOLD])
        hours, days = _added(parts), _added(parts, by_day=True)
        instead_of = [row.pk for row in parts] + _add_known(Rollup.objects.filter(part=""), hours)
        _write(Rollup, hours, instead_of)
        _write(DayRollup, days, _add_known(DayRollup.objects.all(), days))
    return len(parts)


def _added(rows: Iterable[SumOfUsage], by_day: bool = False) -> dict[Group, sums.Sum]:
    found: dict[Group, sums.Sum] = {}
    for row in rows:
        group = _group(row)
        if by_day:
            group = group._replace(hour=day_of(row.hour))
        found.setdefault(group, sums.Sum()).add(row.requests, row.failed, row.cost_nanos, row.units)
    return found


def _add_known(rows: QuerySet[S], total: dict[Group, sums.Sum]) -> list[int]:
    """Adds what the groups have among the rows to them; the ids of those rows."""
    found = []
    for workspace_id, of_it in groupby(sorted(total), key=lambda group: group.workspace_id):
        for row in rows.filter(workspace_id=workspace_id, hour__in={group.hour for group in of_it}):
            if (sum_ := total.get(_group(row))) is not None:
                sum_.add(row.requests, row.failed, row.cost_nanos, row.units)
                found.append(row.pk)
    return found


def _group(row: SumOfUsage) -> Group:
    return Group(row.workspace_id, row.hour, row.model, row.key_id, row.funding, row.seller_id)


def _write(kind: type[SumOfUsage], total: dict[Group, sums.Sum], instead_of: list[int]) -> None:
    rows: Manager[SumOfUsage] = kind._default_manager
    for at in range(0, len(instead_of), 500):
        rows.filter(pk__in=instead_of[at : at + 500]).delete()
    rows.bulk_create([kind.of(group, total[group]) for group in sorted(total)], batch_size=500)


def rebuild() -> int:
    """Sums every event anew, and rewrites the hours and days that are wrong; how many hourly rollups there are.

    Month by month, some workspaces at a time; only hours that differ are locked, and only while they are written.
    """
    roll_up(LATER)
    for start, end in _months():
        used = _used(start, end)
        known = _within(Rollup.objects.all(), "hour", start, end).values_list("workspace_id", flat=True)
        weights = {name: used.get(name, _NONE)[0] for name in sorted({*used, *known.distinct().order_by()})}
        for names in _slices(weights):
            _mend(names, start, end)
            _mend_days(names, start, end)
    return Rollup.objects.count()


def mend(start: datetime, end: datetime) -> int:
    """Rewrites what is wrong in these whole hours; how many workspaces it was in.

    Every commit brings its sums along. Only a process of a version that did not do so leaves any out.
    """
    wrong = _wrong(start, end)
    for workspace_id in wrong:
        _mend([workspace_id], start, end)
    return len(wrong)


def differences() -> list[str]:
    """Workspaces whose rollups are not the sum of their events; empty when all is right."""
    wrong = _wrong(ALWAYS, LATER)
    hours, days = _totals(Rollup.objects.filter(part="")), _totals(DayRollup.objects.all())
    return [
        f"{name}: events {events[0]} and {events[1]} nanos, rollups {known[0]} and {known[1]}"
        for name, (events, known) in wrong.items()
    ] + [
        f"{name}: hourly rollups {hours.get(name, _NONE)}, daily ones {days.get(name, _NONE)}"
        for name in sorted(hours.keys() | days.keys())
        if hours.get(name) != days.get(name)
    ]


def _wrong(start: datetime, end: datetime) -> dict[str, tuple[tuple[int, int], tuple[int, int]]]:
    used, known = _used(start, end), _totals(_within(Rollup.objects.all(), "hour", start, end))
    return {
        name: (used.get(name, _NONE), known.get(name, _NONE))
        for name in sorted(used.keys() | known.keys())
        if used.get(name, _NONE) != known.get(name, _NONE)
    }


def _totals(rows: QuerySet[S]) -> dict[str, tuple[int, int]]:
    """Workspace → requests and cost."""
    sums = rows.values_list("workspace_id").order_by().annotate(n=Sum("requests"), nanos=Sum("cost_nanos"))
    return {name: (n, nanos) for name, n, nanos in sums}


def _used(start: datetime, end: datetime) -> dict[str, tuple[int, int]]:
    """Workspace → its events and their cost, the archived ones too."""
    events = _within(UsageEvent.objects.all(), "recorded_at", start, end).values_list("workspace_id").order_by()
    used = {name: (n, nanos) for name, n, nanos in events.annotate(n=Count("id"), nanos=Sum("cost_nanos"))}
    for name, (n, nanos) in archived("workspace_id", start, end).items():
        stored = used.get(name, _NONE)
        used[name] = stored[0] + n, stored[1] + nanos
    return used


def _months() -> Iterator[tuple[datetime, datetime]]:
    """From the first event or rollup to the last."""
    times = [
        UsageEvent.objects.aggregate(first=Min("recorded_at"), last=Max("recorded_at")),
        Archive.objects.aggregate(first=Min("first_at"), last=Max("last_at")),
        Rollup.objects.aggregate(first=Min("hour"), last=Max("hour")),
    ]
    times = [time for time in times if time["first"]]
    if not times:
        return
    start = hour_of(min(time["first"] for time in times)).replace(day=1, hour=0)
    while start <= max(time["last"] for time in times):
        end = (start + timedelta(days=32)).replace(day=1)
        yield start, end
        start = end


def _within(rows: QuerySet[M], field: str, start: datetime, end: datetime) -> QuerySet[M]:
    return rows.filter(**{f"{field}__gte": start, f"{field}__lt": end})


def _slices(weights: dict[K, int]) -> Iterator[list[K]]:
    """The keys in their order, as many at a time as weigh MOST_A_REWRITE together; one at least."""
    taken: list[K] = []
    weight = 0
    for key, more in weights.items():
        if taken and weight + more > MOST_A_REWRITE:
            yield taken
            taken, weight = [], 0
        taken.append(key)
        weight += more
    if taken:
        yield taken


def _mend(names: list[str], start: datetime, end: datetime) -> None:
    """Compares without a lock, then rewrites the hours that differ, some at a time.

    `names`: all workspaces with usage between the first and the last of them.
    """
    used, known = _sums(names, start, end), _known(names, start, end)
    wrong = {(g.workspace_id, g.hour) for g in used.keys() | known.keys() if used.get(g) != known.get(g)}
    weights = dict.fromkeys(sorted(wrong), 0)
    for group, total in used.items():
        if (place := (group.workspace_id, group.hour)) in weights:
            weights[place] += total.requests
    for places in _slices(weights):
        _rewrite(places)


def _rewrite(places: list[tuple[str, datetime]]) -> None:
    wanted, hours = set(places), [hour for _, hour in places]
    names, start, end = [name for name, _ in places], min(hours), max(hours) + timedelta(hours=1)
    with transaction.atomic():
        _one_at_a_time()
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Events and their sums come in one transaction; none may come between our two readings.
                cursor.execute(f"LOCK TABLE {Rollup._meta.db_table} IN EXCLUSIVE MODE")
        rows = _of(Rollup.objects.all(), "hour", names, start, end).values_list("pk", "workspace_id", "hour")
        sums = _sums(names, start, end).items()
        right = {group: total for group, total in sums if (group.workspace_id, group.hour) in wanted}
        _write(Rollup, right, [pk for pk, *place in rows if tuple(place) in wanted])
        _write_days({(name, day_of(hour)) for name, hour in places})


def _mend_days(names: list[str], start: datetime, end: datetime) -> None:
    """Rewrites the days of a month whose rollups are not the sum of its hours'. Reads without a lock."""
    hours = _added(_of(Rollup.objects.filter(part=""), "hour", names, start, end).iterator(), by_day=True)
    days = _added(_of(DayRollup.objects.all(), "hour", names, start, end).iterator())
    wrong = sorted({(g.workspace_id, g.hour) for g in hours.keys() | days.keys() if hours.get(g) != days.get(g)})
    for at in range(0, len(wrong), MOST_A_FOLD):
        with transaction.atomic():
            _one_at_a_time()
            _write_days(set(wrong[at : at + MOST_A_FOLD]))


def _write_days(places: set[tuple[str, datetime]]) -> None:
    """Sums the folded hours of these workspaces' days. Nobody folds meanwhile."""
    total: dict[Group, sums.Sum] = {}
    old: list[int] = []
    for name, day in places:
        hours = _of(Rollup.objects.filter(part=""), "hour", [name], day, day + timedelta(days=1))
        total |= _added(hours.iterator(), by_day=True)
        old += DayRollup.objects.filter(workspace_id=name, hour=day).values_list("pk", flat=True)
    _write(DayRollup, total, old)


def _sums(names: list[str], start: datetime, end: datetime) -> dict[Group, sums.Sum]:
    rows = _of(UsageEvent.objects.all(), "recorded_at", names, start, end).order_by().values_list(*FIELDS).iterator()
    return summed(chain(rows, used_in_files(names[0], names[-1], start, end)))


def _known(names: list[str], start: datetime, end: datetime) -> dict[Group, sums.Sum]:
    return _added(_of(Rollup.objects.all(), "hour", names, start, end).iterator())


def _of(rows: QuerySet[M], field: str, names: list[str], start: datetime, end: datetime) -> QuerySet[M]:
    """Those of the first to the last of the workspaces."""
    return _within(rows.filter(workspace_id__gte=names[0], workspace_id__lte=names[-1]), field, start, end)


def _one_at_a_time() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])

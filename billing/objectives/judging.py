"""A day's traffic against what was promised, and the credits where it was not kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet, Sum

from billing.ledger import postings
from billing.metering.models import Status, UsageEvent
from billing.objectives.models import ALL_BP, Day, Objective
from billing.objectives.words import broken_in_words

SETTLES_AFTER = timedelta(hours=1)  # streams that ran over midnight, and those of dead processes, are in by then
LOOKS_BACK = 14  # days: what an outage of ours left out is judged later


@dataclass(frozen=True, slots=True)
class Measured:
    """A model's day. Failures are those that a place where it runs is to blame for, not wrong or cancelled requests."""

    requests: int
    failed: int
    empty: int
    p95_ms: int | None

    def breaks(self, objective: Objective) -> list[str]:
        """Which of the promises were not kept; none where there were too few requests to say."""
        if self.requests < objective.least_requests:
            return []
        answered = self.requests - self.failed
        broken = []
        if objective.uptime_bp is not None and answered * ALL_BP < objective.uptime_bp * self.requests:
            broken.append("uptime")
        if objective.p95_ms is not None and self.p95_ms is not None and self.p95_ms > objective.p95_ms:
            broken.append("p95")
        if objective.empty_bp is not None and self.empty * ALL_BP > objective.empty_bp * answered:
            broken.append("empty")
        return broken


def measure(model: str, day: date) -> Measured:
    """How the model did on that day (UTC). p95: the nearest-rank percentile of the latencies of its answers."""
    events = _events(model, day)
    answers = events.filter(status=Status.SUCCEEDED)
    answered, failed = answers.count(), events.filter(status=Status.FAILED).exclude(replica="").count()
    rank = -(-answered * 95 // 100)
    latency = answers.order_by("latency_ms").values_list("latency_ms", flat=True)[rank - 1 : rank] if answered else []
    return Measured(answered + failed, failed, answers.filter(units={}).count(), next(iter(latency), None))


def judge_due(now: datetime) -> int:
    """Judges the days that are over and were not judged; how many."""
    return sum(judge(objective, day) is not None for objective, day in list(_due(now)))


def _due(now: datetime) -> Iterator[tuple[Objective, date]]:
    last = (now - SETTLES_AFTER).astimezone(UTC).date() - timedelta(days=1)
    first = last - timedelta(days=LOOKS_BACK - 1)
    for model in Objective.objects.order_by().values_list("model", flat=True).distinct():
        judged = set(Day.objects.filter(objective__model=model, day__gte=first).values_list("day", flat=True))
        for back in range(LOOKS_BACK):
            day = first + timedelta(days=back)
            objective = in_force(model, day)
            if objective is not None and day not in judged:
                yield objective, day


def in_force(model: str, day: date) -> Objective | None:
    """What was promised of the model for that day."""
    return Objective.objects.filter(model=model, starts_on__lte=day).order_by("-starts_on").first()


def judge(objective: Objective, day: date) -> Day | None:
    """Writes down how the day went and credits who used the model, in one transaction; None if that was done before."""
    with transaction.atomic():
        Objective.objects.select_for_update().get(pk=objective.pk)  # two workers at once judge one after another
        if Day.objects.filter(objective__model=objective.model, day=day).exists():
            return None
        measured = measure(objective.model, day)
        broken = measured.breaks(objective)
        credited: list[int] = []
        if broken:
            reason = broken_in_words(objective, day, measured, broken)
            for workspace_id, nanos in _credits(objective, day):
                postings.service_credit(workspace_id, nanos, f"objective:{objective.pk}:{day}:{workspace_id}", reason)
                credited.append(nanos)
        return Day.objects.create(
            objective=objective,
            day=day,
            requests=measured.requests,
            failed=measured.failed,
            empty=measured.empty,
            p95_ms=measured.p95_ms,
            broken=" ".join(broken),
            workspaces=len(credited),
            credited_nanos=sum(credited),
        )


def _credits(objective: Objective, day: date) -> Iterator[tuple[str, int]]:
    """(workspace, nano-dollars): the promised share of what each spent on the model that day, rounded up."""
    rows = _events(objective.model, day).values("workspace_id").annotate(nanos=Sum("cost_nanos")).order_by()
    for row in rows.filter(nanos__gt=0):
        nanos = -(-row["nanos"] * objective.credit_bp // ALL_BP)
        if nanos:
            yield row["workspace_id"], nanos


def _events(model: str, day: date) -> QuerySet[UsageEvent]:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return UsageEvent.objects.filter(
        model=model, recorded_at__gte=start, recorded_at__lt=start + timedelta(days=1)
    ).order_by()

"""What a model's page says of its objective."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from billing.objectives.judging import in_force
from billing.objectives.models import ALL_BP, Day
from billing.objectives.words import percent, promises

DAYS = 30


@dataclass(frozen=True, slots=True)
class Standing:
    """The promise in force, and the last days."""

    promises: list[str]
    credit: str  # share of the day's cost that is credited
    least_requests: int
    days: list[Day]  # the newest first
    kept: int

    @property
    def uptime(self) -> str:
        """Of the days shown; empty without requests."""
        requests, failed = sum(day.requests for day in self.days), sum(day.failed for day in self.days)
        return percent((requests - failed) * ALL_BP / requests) if requests else ""


def standing(model: str, today: date) -> Standing | None:
    """Of a model (publisher/name); None where nothing is promised."""
    objective = in_force(model, today)
    if objective is None:
        return None
    days = list(Day.objects.filter(objective__model=model, day__gte=today - timedelta(days=DAYS)).order_by("-day"))
    return Standing(
        promises=promises(objective),
        credit=percent(objective.credit_bp),
        least_requests=objective.least_requests,
        days=days,
        kept=sum(not day.broken for day in days),
    )

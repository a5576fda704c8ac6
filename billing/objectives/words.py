"""Promises and how they were kept, for people."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from billing.objectives.models import ALL_BP, Objective

if TYPE_CHECKING:
    from billing.objectives.judging import Measured


def percent(share_bp: float) -> str:
    """Hundredths of a percent: 9990 → "99.9 %"."""
    return f"{share_bp / 100:.4f}".rstrip("0").rstrip(".") + " %"


def promises(objective: Objective) -> list[str]:
    """One phrase a promise."""
    said = []
    if objective.uptime_bp is not None:
        said.append(_("%(share)s of requests are answered") % {"share": percent(objective.uptime_bp)})
    if objective.p95_ms is not None:
        said.append(_("95 of 100 answers come within %(ms)d ms") % {"ms": objective.p95_ms})
    if objective.empty_bp is not None:
        said.append(_("at most %(share)s of answers are empty") % {"share": percent(objective.empty_bp)})
    return said


def broken_in_words(objective: Objective, day: date, measured: Measured, broken: list[str]) -> str:
    """Why a credit was given: the model, the day, what was measured and what was promised."""
    answered = measured.requests - measured.failed
    said = {
        "uptime": f"{percent(answered * ALL_BP / max(measured.requests, 1))} answered"
        f" ({percent(objective.uptime_bp or 0)} promised)",
        "p95": f"95 of 100 answers took up to {measured.p95_ms} ms ({objective.p95_ms} ms promised)",
        "empty": f"{percent(measured.empty * ALL_BP / max(answered, 1))} empty"
        f" ({percent(objective.empty_bp or 0)} promised)",
    }
    return f"{objective.model} on {day}: " + ", ".join(said[name] for name in broken)

"""The plans of a new installation."""

from __future__ import annotations

from billing.money import NANOS
from billing.plans.models import Plan

FREE = "free"
PAY_AS_YOU_GO = "payg"


def seed_plans() -> None:
    """Makes the plans that are missing; operators' changes to existing ones stay."""
    Plan.objects.get_or_create(
        code=FREE,
        defaults={"name": "Free", "summary": "Try every model with a small credit. No card needed.", "position": 0},
    )
    Plan.objects.get_or_create(
        code=PAY_AS_YOU_GO,
        defaults={
            "name": "Pay as you go",
            "summary": "No base fee. Usage is metered and invoiced each month.",
            "metered": True,
            "spending_limit_nanos": 100 * NANOS,
            "position": 1,
        },
    )

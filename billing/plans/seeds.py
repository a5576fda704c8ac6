"""The plans of a new installation. Their words are stored in English and translated where they are shown."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_noop

from billing.money import NANOS
from billing.plans.models import Plan
from billing.plans.subscribing import FREE, PAY_AS_YOU_GO, PREPAID, PRO

__all__ = ["FREE", "PAY_AS_YOU_GO", "PREPAID", "PRO", "seed_plans"]

PLANS: dict[str, dict[str, Any]] = {
    FREE: {
        "name": gettext_noop("Free"),
        "summary": gettext_noop("Try every model with a small credit. No card needed."),
        "included_nanos": NANOS // 4,
        "position": 0,
    },
    PREPAID: {
        "name": gettext_noop("Prepaid"),
        "summary": gettext_noop("Buy credit and spend it. No subscription, no invoice afterwards."),
        "position": 1,
    },
    PAY_AS_YOU_GO: {
        "name": gettext_noop("Pay as you go"),
        "summary": gettext_noop("No base fee. Usage is metered and invoiced each month."),
        "metered": True,
        "spending_limit_nanos": 100 * NANOS,
        "position": 2,
    },
    PRO: {
        "name": gettext_noop("Pro"),
        "summary": gettext_noop("A monthly fee with usage included, higher limits, and metered usage beyond."),
        "metered": True,
        "spending_limit_nanos": 1_000 * NANOS,
        "base_fee_nanos": 20 * NANOS,
        "included_nanos": 25 * NANOS,
        "price_percent": 90,
        "rpm_percent": 500,
        "position": 3,
    },
}


def seed_plans() -> None:
    """Makes the plans that are missing; operators' changes to existing ones stay."""
    for code, plan in PLANS.items():
        Plan.objects.get_or_create(code=code, defaults=plan)

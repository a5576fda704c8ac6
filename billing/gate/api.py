"""GET /v1/budgets"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from billing import money
from billing.gate import standing
from billing.gate.standing import BudgetStanding
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.view import KeyedView


class Budgets(KeyedView):
    """The workspace's budgets as they stand in their periods.

    Those that stop (`stops`) are caps. Dollars; `spent` does not count what is set aside for requests at work. People
    change them on /billing/budgets, and the caps of keys by /v1/keys too.
    """

    scope = "usage"

    def get(self, request: Request) -> HttpResponse:
        rows = standing.budgets(self.caller.workspace_id, timezone.now())
        return json_answer({"object": "list", "data": [_budget(row) for row in rows]})


def _budget(row: BudgetStanding) -> dict[str, Any]:
    budget = row.budget
    return {
        "object": "budget",
        "id": budget.pk,
        "name": budget.name,
        "for": "key" if budget.key_id else "member" if budget.member_id else "workspace",
        "key": budget.key_id,
        "member": budget.member.email if budget.member else None,
        "period": budget.period,
        "period_start": row.since.isoformat(),
        "resets_at": row.until.isoformat() if row.until else None,
        "stops": budget.stops,
        "thresholds": budget.thresholds,
        "told": row.told,
        "amount": money.decimal(budget.limit_nanos),
        "spent": money.decimal(row.spent_nanos),
    }

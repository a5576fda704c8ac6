"""GET /v1/earnings"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from billing import money
from billing.earnings import agreements, figures, payouts
from billing.earnings.figures import Sums
from billing.statements import periods
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.view import KeyedView
from portal.kit.errors import Problem

WAYS = {"day": figures.by_day, "model": figures.by_model}


class EarningsInvalid(Problem):
    """A parameter that does not fit."""

    status = 422
    code = "input_invalid"


class Earnings(KeyedView):
    """What others' use of the workspace's models earned, and what of it can be paid out.

    ?from=&to= choose days (or moments), group_by= sums by day (unless told otherwise) or by model.
    """

    scope = "usage"

    def get(self, request: Request) -> HttpResponse:
        given, now, seller_id = request.query_params, timezone.now(), self.caller.workspace_id
        by = given.get("group_by") or "day"
        if by not in WAYS:
            raise EarningsInvalid("group_by is day or model.", param="group_by")
        period = periods.read(given.get("from", ""), given.get("to", ""), now)
        funds = payouts.funds(seller_id, now)
        amounts = {
            "owed": funds.owed_nanos, "held": funds.held_nanos, "under_way": funds.open_nanos,
            "available": funds.available_nanos, "paid": figures.paid_nanos(seller_id),
        }  # fmt: skip
        return json_answer(
            {
                "object": "list",
                "data": [_shown(by, sums) for sums in WAYS[by](seller_id, period.start, period.end)],
                "balance": {name: money.decimal(nanos) for name, nanos in amounts.items()},
                "fee_percent": f"{agreements.terms(seller_id, now).fee_bp / 100:g}",
            }
        )


def _shown(by: str, sums: Sums) -> dict[str, Any]:
    amounts = {"used": sums.gross_nanos, "fee": sums.fee_nanos, "earned": sums.net_nanos}
    exact = {f"{name}_nanos": nanos for name, nanos in amounts.items()}
    return {"object": "earning_sum", by: sums.label, **{n: money.decimal(v) for n, v in amounts.items()}, **exact}

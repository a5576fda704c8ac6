"""GET /v1/credits"""

from __future__ import annotations

from typing import Any

from django.db.models import Sum
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from billing import money
from billing.gate import leases
from billing.ledger import lots
from billing.ledger.balances import balance
from billing.ledger.models import Lot
from billing.plans.allowances import open_workspace, postpaid_limit
from portal.accounts.models import Workspace
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.view import KeyedView

MOST_LOTS = 100


class Credits(KeyedView):
    """The workspace's credit, and the lots it consists of.

    Dollars: `total` came in ever, `remaining` can be spent, `held` of it is lent to servers right now.
    """

    scope = "usage"

    def get(self, request: Request) -> HttpResponse:
        workspace_id, now = self.caller.workspace_id, timezone.now()
        open_workspace(Workspace.objects.get(pk=workspace_id))
        has, lent = balance(workspace_id), leases.idle(workspace_id)
        held = lent.get("promo", 0) + lent.get("credit", 0)
        live = lots.live(workspace_id)
        over = live.filter(expires_at__lte=now).aggregate(nanos=Sum("left_nanos", default=0))["nanos"]
        total = Lot.objects.filter(workspace_id=workspace_id).aggregate(nanos=Sum("amount_nanos", default=0))["nanos"]
        limit = postpaid_limit(workspace_id)
        return json_answer(
            {
                "object": "credits",
                "currency": "usd",
                "total": money.decimal(total),
                "remaining": money.decimal(max(has.promo_nanos + has.credit_nanos + held - over, 0)),
                "held": money.decimal(held),
                "owed": money.decimal(has.owed_nanos),
                "postpaid_limit": money.decimal(limit),
                "lots": [_lot(lot) for lot in live.exclude(expires_at__lte=now)[:MOST_LOTS]],
            }
        )


def _lot(lot: Lot) -> dict[str, Any]:
    return {
        "object": "credit_lot",
        "kind": lot.kind,
        "amount": money.decimal(lot.amount_nanos),
        "left": money.decimal(lot.left_nanos),
        "memo": lot.memo,
        "created_at": lot.created_at.isoformat(),
        "expires_at": lot.expires_at.isoformat() if lot.expires_at else None,
    }

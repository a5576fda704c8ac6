"""GET /v1/usage/receipt, the same for people, and the public keys."""

from __future__ import annotations

from itertools import chain

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from rest_framework.request import Request

from billing.receipts import keys, making
from billing.statements import periods
from portal.accounts.access import workspace_of
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.view import KeyedView

CONTENT_TYPE = "application/x-ndjson"


class UsageReceipt(KeyedView):
    """A signed receipt of the usage ?from= a day or time until ?to=: lines of JSON; see docs/receipts.md."""

    scope = "usage"

    def get(self, request: Request) -> StreamingHttpResponse:
        given = request.query_params
        return _answer(self.caller.workspace_id, given.get("from", ""), given.get("to", ""))


@login_required
def receipt_page(request: HttpRequest) -> StreamingHttpResponse:
    """The receipt of the statement's period, to keep."""
    return _answer(workspace_of(request).pk, request.GET.get("from", ""), request.GET.get("to", ""))


@require_safe
def public_keys(request: HttpRequest) -> HttpResponse:
    """/.well-known/mercato-receipt-key.json: for everybody, and soon after a rotation everywhere."""
    return json_answer(keys.published(), headers={"Cache-Control": "public, max-age=300"})


def _answer(workspace_id: str, given_from: str, given_to: str) -> StreamingHttpResponse:
    now = timezone.now()
    period = making.closed(periods.read(given_from, given_to, now), now)
    lines = making.receipt(workspace_id, period, now)
    first = next(lines)  # what keeps it from being made is an answer with its status
    response = StreamingHttpResponse(chain([first], lines), content_type=CONTENT_TYPE)
    name = f"mercato-receipt-{period.start:%Y%m%d}-{period.end:%Y%m%d}.jsonl"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Accel-Buffering"] = "no"
    return response

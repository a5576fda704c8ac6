"""/v1/batches, and how the lines of a batch are read and answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import current_app
from django.http import HttpResponse
from rest_framework.request import Request

from billing import money
from inference import predict
from inference.api.openai import completions, embeddings_wire, responses_wire, wire
from inference.api.view import PredictionView, fields
from inference.call import Call
from inference.later import batches
from inference.later.batches import Endpoint
from inference.later.models import Batch
from portal.accounts.wire.view import json_answer

PAGE = 20
_TIMES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


def _embeddings(call: Call) -> Mapping[str, Any]:
    return embeddings_wire.response(predict.run(call), "float")


def _responses(call: Call) -> Mapping[str, Any]:
    return responses_wire.response(predict.run(call), {})


ENDPOINTS = {
    "/v1/chat/completions": Endpoint(
        lambda body, who, name: wire.call_of(body, who, name)[0], lambda call: wire.completion(predict.run(call))
    ),
    "/v1/completions": Endpoint(
        lambda body, who, name: completions.call_of(body, who, name)[0],
        lambda call: completions.completion(predict.run(call)),
    ),
    "/v1/embeddings": Endpoint(lambda body, who, name: embeddings_wire.call_of(body, who, name)[0], _embeddings),
    "/v1/responses": Endpoint(lambda body, who, name: responses_wire.call_of(body, who, name)[0], _responses),
}


class Batches(PredictionView):
    """GET and POST /v1/batches"""

    def get(self, request: Request) -> HttpResponse:
        found = Batch.objects.filter(workspace_id=self.caller.workspace_id).order_by("-created_at", "-pk")
        after = request.query_params.get("after")
        if after:
            found = found.filter(pk__lt=after)  # ids sort by time
        limit = request.query_params.get("limit", "")
        size = min(int(limit), 100) if limit.isdecimal() and int(limit) else PAGE
        rows = list(found[: size + 1])
        data = [shown(batch) for batch in rows[:size]]
        ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
        return json_answer({"object": "list", "data": data, **ends, "has_more": len(rows) > size})

    def post(self, request: Request) -> HttpResponse:
        given = fields(super(PredictionView, self).body(request))  # its max_cost is for all lines together
        batch = batches.create(self.caller, given)
        current_app.send_task("inference.jobs.work_on_batches")
        return json_answer(shown(batch))


class OneBatch(PredictionView):
    """GET /v1/batches/{id}"""

    def get(self, request: Request, batch_id: str) -> HttpResponse:
        return json_answer(shown(batches.of(self.caller.workspace_id, batch_id)))


class CancelBatch(PredictionView):
    """POST /v1/batches/{id}/cancel"""

    def post(self, request: Request, batch_id: str) -> HttpResponse:
        batch = batches.cancel(batches.of(self.caller.workspace_id, batch_id))
        current_app.send_task("inference.jobs.work_on_batches")
        return json_answer(shown(batch))


class RetryBatch(PredictionView):
    """POST /v1/batches/{id}/retry: a new batch of the lines that have no answer"""

    def post(self, request: Request, batch_id: str) -> HttpResponse:
        given = fields(super(PredictionView, self).body(request)) if request._request.body else {}
        batch = batches.retry(self.caller, batches.of(self.caller.workspace_id, batch_id), given.get("max_cost"))
        current_app.send_task("inference.jobs.work_on_batches")
        return json_answer(shown(batch))


def shown(batch: Batch) -> dict[str, Any]:
    """A Batch in OpenAI's shape; `max_cost`, what it can cost, is ours."""
    return {
        "id": batch.pk,
        "object": "batch",
        "endpoint": batch.endpoint,
        "input_file_id": batch.input_file_id,
        "completion_window": "24h",
        "status": batch.state,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "created_at": int(batch.created_at.timestamp()),
        "expires_at": int(batch.expires_at.timestamp()),
        **{f"{state}_at": batch.times.get(state) for state in _TIMES},
        "request_counts": batches.counts(batch),
        "metadata": batch.metadata or None,
        "max_cost": None if batch.most_nanos is None else money.decimal(batch.most_nanos),
    }

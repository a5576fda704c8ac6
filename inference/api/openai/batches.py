"""/v1/batches, and how the lines of a batch are read and answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from billing import money
from inference import predict
from inference.api.openai import completions, embeddings_wire, images_wire, listing, responses_wire, wire
from inference.api.view import FieldInvalid, PredictionView, fields
from inference.api.wishes import FIELDS as WISHES
from inference.call import Call
from inference.later import batches
from inference.later.batches import Endpoint
from inference.later.models import Batch
from inference.later.waking import wake
from portal.accounts.keys.lookup import Caller
from portal.accounts.wire.answers import json_answer

PAGE, MOST_LISTED = 20, 100
_TIMES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


def _embeddings(call: Call) -> Mapping[str, Any]:
    return embeddings_wire.response(predict.run(call), "float")


def _images(call: Call) -> Mapping[str, Any]:
    return images_wire.response(predict.run(call))


def _responses(call: Call) -> Mapping[str, Any]:
    return responses_wire.response(predict.run(call), {})


def _endpoint(read: Callable[..., Any], answer: Callable[[Call], Mapping[str, Any]]) -> Endpoint:
    """An endpoint whose `read` gives the call, alone or first of all."""

    def call_of(body: Any, who: Caller, name: str) -> Call:
        wish = next((wish for wish in WISHES if wish in body), None)
        if wish is not None:
            raise FieldInvalid(f"{wish} is for a call of its own; a batch has one max_cost.", param=f"/{wish}")
        found = read(body, who, name)
        call: Call = found if isinstance(found, Call) else found[0]
        return call

    return Endpoint(call_of, answer)


ENDPOINTS = {
    "/v1/chat/completions": _endpoint(wire.call_of, lambda call: wire.completion(predict.run(call))),
    "/v1/completions": _endpoint(completions.call_of, lambda call: completions.completion(predict.run(call))),
    "/v1/embeddings": _endpoint(embeddings_wire.call_of, _embeddings),
    "/v1/responses": _endpoint(responses_wire.call_of, _responses),
    "/v1/images/generations": _endpoint(images_wire.call_of, _images),
}


class Batches(PredictionView):
    """The workspace's batches."""

    def get(self, request: Request) -> HttpResponse:
        query = request.query_params
        found = listing.by_time(Batch.objects.filter(workspace_id=self.caller.workspace_id), query)
        return json_answer(listing.page(found, listing.limit_of(query, PAGE, MOST_LISTED), shown))

    def post(self, request: Request) -> HttpResponse:
        """Many requests in a file, answered when there is time, for half the price."""
        given = fields(super(PredictionView, self).body(request))  # its max_cost is for all lines together
        batch = batches.create(self.id_of_new("batch"), self.caller, given)
        wake("work_on_batches")
        return json_answer(shown(batch))


class OneBatch(PredictionView):
    """A batch as far as it has come."""

    def get(self, request: Request, batch_id: str) -> HttpResponse:
        return json_answer(shown(batches.of(self.caller.workspace_id, batch_id)))


class CancelBatch(PredictionView):
    """Begins no more lines; what was answered stays, and is billed."""

    def post(self, request: Request, batch_id: str) -> HttpResponse:
        batch = batches.cancel(batches.of(self.caller.workspace_id, batch_id))
        wake("work_on_batches")
        return json_answer(shown(batch))


class RetryBatch(PredictionView):
    """A new batch of the lines that have no answer"""

    def post(self, request: Request, batch_id: str) -> HttpResponse:
        given = fields(super(PredictionView, self).body(request)) if request._request.body else {}
        ended = batches.of(self.caller.workspace_id, batch_id)
        batch = batches.retry(self.id_of_new("batch"), self.caller, ended, given.get("max_cost"))
        wake("work_on_batches")
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
        "model": batch.model or None,
        "usage": batch.usage,
        "max_cost": None if batch.most_nanos is None else money.decimal(batch.most_nanos),
    }

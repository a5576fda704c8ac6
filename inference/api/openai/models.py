"""GET /v1/models and /v1/models/{publisher}/{name}"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from billing.prices import book
from inference.api.view import PredictionView
from marketplace.catalog.models import Model
from marketplace.catalog.search import visible
from marketplace.catalog.state import state_of
from marketplace.errors import ModelNotFound
from portal.accounts.wire.view import json_answer

MOST = 1_000


class Models(PredictionView):
    """The models that the caller may call."""

    def get(self, request: Request) -> HttpResponse:
        models = visible(self.caller.workspace_id).exclude(live_version=None).order_by("pk")[:MOST]
        return json_answer({"object": "list", "data": [_shown(model) for model in models]})


class OneModel(PredictionView):
    """One of them."""

    def get(self, request: Request, publisher: str, name: str) -> HttpResponse:
        model = visible(self.caller.workspace_id).filter(publisher__slug=publisher, name=name).first()
        if model is None:
            raise ModelNotFound(f"There is no model {publisher}/{name}.")
        fine = {"error_code": "OK", "error_message": ""}
        versions = (
            [{"version": str(model.live_version.number), "state": "AVAILABLE", "status": fine}]
            if model.live_version
            else []
        )
        # What clients of TensorFlow Serving look for at this address.
        return json_answer({**_shown(model), "model_version_status": versions})


def _shown(model: Model) -> dict[str, Any]:
    rates = model.price.rates if model.price else {}
    return {
        "id": model.slug,
        "object": "model",
        "created": int(model.created_at.timestamp()),
        "owned_by": model.publisher.slug,
        "title": model.title,
        "task": model.task,
        "state": state_of(model.live_version is not None, getattr(model, "run_state", None)).value,
        "version": model.live_version.number if model.live_version else None,
        "metrics": model.live_version.metrics if model.live_version else {},
        "price": str(book.label(rates)),
        "rates_nanos_per_million": rates,
    }

"""GET /v1/models and /v1/models/{publisher}/{name}"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from billing.plans.terms import BP_IN_PERCENT, terms_of
from billing.prices import book
from billing.prices.models import Price
from billing.prices.quote import FREE, tiers_to
from inference.api.openai import listing
from inference.api.view import FieldInvalid, PredictionView
from marketplace.catalog import retiring, takedowns
from marketplace.catalog.models import Model, Retirement
from marketplace.catalog.search import Query, check_task, search
from marketplace.catalog.state import state_of
from marketplace.catalog.visibility import Reader, listed, visible
from marketplace.errors import ModelNotFound
from marketplace.publishing import evidence
from marketplace.recommending.suggesting import used_with
from portal.accounts.wire.answers import json_answer

MOST_LISTED = 1_000
MOST_FOUND = 200  # by a search


class Models(PredictionView):
    """The public models and those of the caller's workspace, oldest first: `task` chooses among them, `limit` and `after` turn pages.

    With `q` or `sort` they are searched as in the catalog: the first MOST_FOUND, the best first.
    """

    def get(self, request: Request) -> HttpResponse:
        query = request.query_params
        limit = listing.limit_of(query, MOST_LISTED, MOST_LISTED)
        if "before_id" in query:
            raise FieldInvalid("Pages are turned forward only, by after.", param="before_id")
        after = query.get("after") or query.get("after_id")  # as Anthropic's SDK names it
        if "q" in query or "sort" in query:
            return self._found(query, after, limit)
        models = retiring.there(listed(Reader(self.caller.workspace_id)).exclude(live_version=None), timezone.now())
        if "task" in query:
            check_task(query["task"])
            models = models.filter(task=query["task"])
        if after:
            models = models.filter(pk__gt=_found(self.caller.workspace_id, *_parts(after)).pk)
        rows = models.order_by("pk")
        return json_answer(_page(rows, limit))

    def _found(self, query: Mapping[str, str], after: str | None, limit: int) -> HttpResponse:
        chosen = {"task": [query["task"]]} if "task" in query else {}
        wanted = Query(query.get("q", ""), chosen, query.get("sort") or "relevance", live=True)
        found = search(wanted, Reader(self.caller.workspace_id), count=MOST_FOUND, counted=False).models
        if after:
            slugs = [model.slug for model in found]
            if after not in slugs:
                raise FieldInvalid("after is the id of the last one of the page before.", param="after")
            found = found[slugs.index(after) + 1 :]
        return json_answer(_page(found, limit))


class OneModel(PredictionView):
    """A model, its version, its price, what that was and will be, what the caller pays, its use and its evidence."""

    def get(self, request: Request, publisher: str, name: str) -> HttpResponse:
        model = _found(self.caller.workspace_id, publisher, name)
        fine = {"error_code": "OK", "error_message": ""}
        versions = (
            [{"version": str(model.live_version.number), "state": "AVAILABLE", "status": fine}]
            if model.live_version
            else []
        )
        terms = terms_of(model.pk, model.slug, self.caller.workspace_id)
        yours = {
            "price_id": terms.price_id or None,
            "price": book.label(terms.scheme),
            "percent_of_the_list_price": terms.factor_bp / BP_IN_PERCENT,
        }
        history = [book.to_json(price) for price in book.listed(model.pk)]
        taken = takedowns.refusing(model)
        more = {
            "taken_down": {"category": taken.category, "reason": taken.reason} if taken else None,
            "used_with": [other.slug for other in used_with(model, Reader(self.caller.workspace_id))],
            "yours": yours,
            "price_history": history,
            "evidence": evidence.of_model(model),
            "model_version_status": versions,  # what clients of TensorFlow Serving look for at this address
        }
        shown = _shown(model, book.current(model.pk), retiring.announced([model]).get(model.pk))
        return json_answer({**shown, **more})


def _found(workspace_id: str, publisher: str, name: str) -> Model:
    model = visible(Reader(workspace_id)).filter(publisher__slug=publisher, name=name).first()
    if model is None:
        raise ModelNotFound(f"There is no model {publisher[:60]}/{name[:60]}.")
    return model


def _parts(slug: str) -> tuple[str, str]:
    publisher, _, name = slug.partition("/")
    return publisher, name


def _page(rows: QuerySet[Model] | Sequence[Model], limit: int) -> dict[str, Any]:
    models = list(rows[: limit + 1])
    prices, going = book.currents(model.pk for model in models), retiring.announced(models)
    return listing.page(models, limit, lambda model: _shown(model, prices.get(model.pk), going.get(model.pk)))


def _goes(retirement: Retirement | None) -> dict[str, Any] | None:
    if retirement is None:
        return None
    return {
        "deprecated_at": retirement.announced_at.isoformat(timespec="seconds"),
        "sunset_at": retirement.ends_at.isoformat(timespec="seconds"),
        "reason": retirement.reason,
        "successor": retirement.successor.slug if retirement.successor else None,
    }


def _shown(model: Model, price: Price | None, retirement: Retirement | None) -> dict[str, Any]:
    scheme = price.scheme if price else FREE
    return {
        "id": model.slug,
        "object": "model",
        "created": int(model.created_at.timestamp()),
        "owned_by": model.publisher.slug,
        "title": model.title,
        # What Anthropic's clients look for at this address.
        "type": "model",
        "display_name": model.title,
        "created_at": model.created_at.isoformat(timespec="seconds"),
        "visibility": model.visibility,
        "task": model.task,
        "state": state_of(model.live_version is not None, getattr(model, "run_state", None)).value,
        "version": model.live_version.number if model.live_version else None,
        "metrics": model.live_version.metrics if model.live_version else {},
        "price": book.label(scheme),
        "rates_nanos_per_million": scheme.rates,
        "tiers": tiers_to(scheme.tiers),
        "minimum_nanos": scheme.minimum_nanos,
        "deprecation": _goes(retirement),
    }

"""POST /v1/quotes and /v1/route: what a call would cost and where it would go. Neither is billed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from billing import money
from billing.prices import firm
from billing.prices.quote import tiers_to
from inference import plan as planning
from inference.api.anybody import call_of
from inference.api.view import PredictionView
from inference.routing import explain
from portal.accounts.wire.answers import json_answer


class Asking(PredictionView):
    """A view that plans the call of its body, and does not make it."""

    def plan(self, request: Request) -> planning.Plan:
        """What would be done. Raises what the call itself would raise before it runs."""
        call = self._wished(call_of(self.body(request), self.caller, self.request_id))
        return planning.plan(call, settings.UPSTREAM_TIMEOUT_S)


class Quotes(Asking):
    """The body of a call → the most that it can cost, at a price that holds: send its id along as x-quote-id."""

    def post(self, request: Request) -> HttpResponse:
        plan = self.plan(request)
        terms = plan.terms
        quote_id, quote = firm.promise(
            self.caller.workspace_id, plan.resolved.model_id, terms.price_id, terms.factor_bp
        )
        return json_answer(
            {
                "id": quote_id,
                "object": "quote",
                "model": plan.resolved.slug,
                "version": plan.resolved.number,
                "max_cost": money.decimal(plan.most_nanos),
                "price": terms.price_id or None,
                "rates_nanos_per_million": terms.scheme.rates,
                "tiers": tiers_to(terms.scheme.tiers),
                "minimum_nanos": terms.scheme.minimum_nanos,
                "percent_of_the_list_price": terms.factor_bp / 100,
                "expires_at": datetime.fromtimestamp(quote.expires_at, UTC).isoformat(),
            },
            status=201,
        )


class Route(Asking):
    """The body of a call → which replicas would serve it, which not and why."""

    def post(self, request: Request) -> HttpResponse:
        plan = self.plan(request)
        places: list[dict[str, Any]] = explain.places(plan.resolved)
        return json_answer(
            {
                "object": "route",
                "model": plan.resolved.slug,
                "version": plan.resolved.number,
                "engine": plan.resolved.engine,
                "replicas": places,
                "would_serve": any(place["would_serve"] for place in places),
                "max_cost": money.decimal(plan.most_nanos),
                "fallback_models": list(self.wishes.fallbacks),
            }
        )

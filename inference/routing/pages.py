"""How a model does right now, as a fragment for its page."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from inference.routing import health, replicas
from marketplace.catalog.resolve import resolve
from marketplace.errors import ModelNotFound, ModelNotReady
from portal.accounts.access import workspace_of


def model_health(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """Latency and answers of this process' replicas; empty before the first answer."""
    workspace_id = workspace_of(request).pk if request.user.is_authenticated else ""
    try:
        resolved = resolve(f"{publisher}/{name}", workspace_id)
    except ModelNotFound as error:
        raise Http404 from error
    except ModelNotReady:
        return HttpResponse()
    states = [health.of(replica.id) for replica in replicas.of(resolved)]
    context = {
        "served": sum(state.served for state in states),
        "p50": max((state.percentile_ms(0.5) or 0 for state in states), default=0),
        "p95": max((state.percentile_ms(0.95) or 0 for state in states), default=0),
    }
    return render(request, "inference/routing/health.html", context)

"""How a model does, as a fragment for its page."""

from __future__ import annotations

from datetime import timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from inference.routing import figures
from marketplace.catalog.resolve import resolve
from marketplace.errors import ModelNotFound, ModelNotReady
from portal.accounts.access import workspace_of

SPAN = timedelta(days=7)


def model_health(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """Latency, throughput and uptime of the last week, of all processes; empty before the first answer."""
    workspace_id = workspace_of(request).pk if request.user.is_authenticated else ""
    try:
        resolved = resolve(f"{publisher}/{name}", workspace_id)
    except ModelNotFound as error:
        raise Http404 from error
    except ModelNotReady:
        return HttpResponse()
    now = timezone.now()
    summary = figures.of(resolved.slug, now - SPAN, now)
    uptime = summary.uptime * 100 if summary.uptime is not None else None
    return render(request, "inference/routing/health.html", {"summary": summary, "uptime": uptime})

"""How a model does, as a fragment for its page."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from inference.routing import figures
from inference.routing.models import Replica
from marketplace.catalog.access import reader_of
from marketplace.catalog.models import Version
from marketplace.catalog.resolve import Resolved, resolve
from marketplace.errors import ModelNotFound, ModelNotReady

SPAN = timedelta(days=7)


def model_health(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """Latency, throughput and uptime of the last week, of all processes; empty before the first answer."""
    reader = reader_of(request)
    try:
        resolved = resolve(f"{publisher}/{name}", reader.workspace_id, reader.changes)
    except ModelNotFound as error:
        raise Http404 from error
    except ModelNotReady:
        return HttpResponse()
    now = timezone.now()
    context: dict[str, object] = {"summary": figures.of(resolved.slug, now - SPAN, now)}
    if getattr(request.user, "is_staff", False):  # addresses are the operators'
        context["places"] = _places(resolved, now)
    return render(request, "inference/routing/health.html", context)


def _places(resolved: Resolved, now: datetime) -> list[tuple[str, str, figures.Summary]]:
    """Target, version and figures of each place that answered."""
    kept = {row.pk: row for row in Replica.objects.filter(version__model=resolved.model_id).select_related("version")}
    own = {version.pk: version for version in Version.objects.filter(model=resolved.model_id)}
    listed = []
    for place, summary in sorted(figures.by_replica(resolved.slug, now - SPAN, now).items()):
        if place in kept:
            listed.append((kept[place].target, f"{kept[place].version.number}", summary))
        elif place in own:
            listed.append((own[place].source, f"{own[place].number}", summary))
    return listed

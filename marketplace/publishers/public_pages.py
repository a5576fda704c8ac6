"""/models/{publisher}: who publishes, and what of it everybody finds in the catalog."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from marketplace.catalog.access import reader_of
from marketplace.catalog.pages import shown_all
from marketplace.catalog.search import PAGE, Query, search
from marketplace.catalog.visibility import ANYBODY
from marketplace.publishers.models import Application, ApplicationState
from portal.accounts.models import Workspace


def publisher(request: HttpRequest, publisher: str) -> HttpResponse:
    """About them, and their public models; 404 for another's workspace that publishes nothing."""
    workspace = Workspace.objects.filter(slug=publisher).first()
    if workspace is None:
        raise Http404
    found = search(Query("", {"publisher": [publisher]}, "used"), ANYBODY, count=PAGE, counted=False)
    approved = Application.objects.filter(workspace=workspace, state=ApplicationState.APPROVED).first()
    own = reader_of(request).workspace_id == workspace.pk
    if not (found.total or approved or own):
        raise Http404
    context = {
        "publisher": workspace,
        "approved": approved,
        "own": own,
        "models": shown_all(found.models),
        "total": found.total,
    }
    return render(request, "marketplace/publishers/publisher.html", context)

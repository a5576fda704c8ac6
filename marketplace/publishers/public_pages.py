"""/models/{publisher}: who publishes, and what of it the visitor finds in the catalog."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from marketplace.catalog.access import reader_of
from marketplace.catalog.pages import shown_all
from marketplace.catalog.search import PAGE, Query, search
from marketplace.publishers.models import Application, ApplicationState
from portal.accounts.models import Workspace


def publisher(request: HttpRequest, publisher: str) -> HttpResponse:
    """About them, and their models that are listed for the visitor; 404 for a workspace that publishes nothing."""
    workspace = Workspace.objects.filter(slug=publisher).first()
    if workspace is None:
        raise Http404
    found = search(Query("", {"publisher": [publisher]}, "used"), reader_of(request), count=PAGE, counted=False)
    approved = Application.objects.filter(workspace=workspace, state=ApplicationState.APPROVED).first()
    if not found.total and approved is None:
        raise Http404
    context = {"publisher": workspace, "approved": approved, "models": shown_all(found.models), "total": found.total}
    return render(request, "marketplace/publishers/publisher.html", context)

"""/publisher/models: what a workspace publishes."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from marketplace.catalog.access import reader_of
from marketplace.catalog.pages import shown_all
from marketplace.publishers import own, rights
from portal.accounts.access import workspace_of


@login_required
def models(request: HttpRequest) -> HttpResponse:
    """All models of the workspace: state, who sees them, calls and earnings of 30 days."""
    found = own.models(reader_of(request), timezone.now())
    context = {
        "rows": list(zip(found, shown_all(one.model for one in found), strict=True)),
        "publisher": rights.is_publisher(workspace_of(request)),
    }
    return render(request, "marketplace/publishers/models.html", context)

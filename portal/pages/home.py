"""/: what it is, and what there is."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from marketplace.catalog.pages import shown_all
from marketplace.catalog.search import Query, search
from marketplace.catalog.visibility import ANYBODY


def home(request: HttpRequest) -> HttpResponse:
    """The front page."""
    models = shown_all(search(Query(), ANYBODY, count=6, counted=False).models)
    return render(request, "portal/home.html", {"models": models, "site_url": settings.SITE_URL})

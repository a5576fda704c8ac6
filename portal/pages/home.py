"""/: what it is, and what there is."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from marketplace.catalog import search
from marketplace.catalog.pages import shown_all


def home(request: HttpRequest) -> HttpResponse:
    """The front page."""
    models = shown_all(search.search(search.visible(None))[:6])
    return render(request, "portal/home.html", {"models": models, "site_url": settings.SITE_URL})

"""/: what it is, and what there is."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from marketplace.catalog.access import reader_of
from marketplace.catalog.pages import shown_all
from marketplace.catalog.search import Query, search
from marketplace.catalog.visibility import ANYBODY
from marketplace.recommending.pages import shown


def home(request: HttpRequest) -> HttpResponse:
    """The front page; for who is signed in with what their workspace may want next."""
    models = shown_all(search(Query(), ANYBODY, count=6, counted=False).models)
    context = {"models": models, "suggestions": shown(reader_of(request)), "site_url": settings.SITE_URL}
    return render(request, "portal/home.html", context)

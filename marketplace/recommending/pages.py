"""Fragments: what is used with a model, and what a workspace may want next."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from marketplace.catalog.access import model_of, reader_of
from marketplace.catalog.pages import shown_all
from marketplace.catalog.visibility import Reader
from marketplace.recommending.suggesting import suggestions, used_with


def used_with_model(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """Of the model's page; empty where nothing is known."""
    others = used_with(model_of(request, publisher, name), reader_of(request))
    return render(request, "marketplace/recommending/_used_with.html", {"models": shown_all(others)})


def suggested(request: HttpRequest) -> HttpResponse:
    """Of the catalog; empty for who is not signed in or used nothing yet."""
    return render(request, "marketplace/recommending/_suggested.html", {"suggestions": shown(reader_of(request))})


def shown(reader: Reader) -> list[dict[str, Any]]:
    """What cards show of the reader's suggestions, each with its reason."""
    found = suggestions(reader, timezone.now()) if reader.workspace_id else []
    cards = shown_all(one.model for one in found)
    return [{"model": card, "because": one.because} for card, one in zip(cards, found, strict=True)]

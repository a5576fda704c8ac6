"""/billing/compare: what would my last 30 days have cost on …"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from billing.prices import book
from marketplace.catalog import compare, takedowns
from marketplace.catalog.access import reader_of
from marketplace.catalog.visibility import visible
from marketplace.tasks import registry
from portal.accounts.access import workspace_of


@login_required
def compare_page(request: HttpRequest) -> HttpResponse:
    """The choice of a model, and the comparison with the one of ?model=publisher/name."""
    workspace, reader, now = workspace_of(request), reader_of(request), timezone.now()
    publisher, _slash, name = request.GET.get("model", "").partition("/")
    context: dict[str, Any] = {"choices": compare.choices(reader, now), "chosen": request.GET.get("model", "")}
    if publisher:
        model = takedowns.there(visible(reader)).filter(publisher__slug=publisher, name=name).first()
        if model is None:
            raise Http404
        found = compare.compare(model, workspace.pk, now)
        context |= {
            "comparison": found,
            "price": book.label(found.terms.scheme),
            "task": registry.get(model.task),
        }
    return render(request, "marketplace/catalog/compare.html", context)

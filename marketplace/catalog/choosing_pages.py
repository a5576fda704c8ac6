"""Pages that help to choose: /models/leaderboard and /models/compare."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from marketplace.catalog.access import reader_of
from marketplace.catalog.leaderboard import board, scatter
from marketplace.catalog.sharing import shared
from marketplace.catalog.side_by_side import MOST, side_by_side
from marketplace.tasks import registry


def leaderboard(request: HttpRequest) -> HttpResponse:
    """The models of ?task=: the first metric against the price, as a plot and a table."""
    judged = [registry.get(name) for name in registry.TASKS if registry.get(name).metrics]
    name = request.GET.get("task") or judged[0].name
    task = next((one for one in judged if one.name == name), None)
    if task is None:
        raise Http404
    places = board(task, reader_of(request))
    chart = scatter(task, places)
    if chart:
        for series, label in zip(chart["series"], (_("models"), _("best for their price")), strict=True):
            series["label"] = label
    best = [place.model for place in places]
    title = f"{_('Leaderboard')} · {_(task.title)}"
    context = {
        "task": task,
        "tasks": judged,
        "places": places,
        "chart": chart,
        "shared": shared(request, title, " · ".join(model.title for model in best[:3]), best),
    }
    return render(request, "marketplace/catalog/leaderboard.html", context)


def compare(request: HttpRequest) -> HttpResponse:
    """The models of ?m=publisher/name&m=…, up to four."""
    asked = [slug.strip() for slug in request.GET.getlist("m") if slug.strip()]
    found = side_by_side(asked, reader_of(request))
    slugs = [column.model.slug for column in found.columns]
    models = [column.model for column in found.columns]
    context = {
        "found": found,
        "shared": shared(request, _("Compare models"), " · ".join(model.title for model in models), models),
        "columns": list(
            zip(found.columns, [_address([one for one in slugs if one != slug]) for slug in slugs], strict=True)
        ),
        "figures": [
            (metric, [column.figures[at] for column in found.columns]) for at, metric in enumerate(found.metrics)
        ],
        "full": len(slugs) >= MOST,
        "cut": len(set(asked)) > MOST,
    }
    return render(request, "marketplace/catalog/side_by_side.html", context)


def _address(slugs: list[str]) -> str:
    return reverse("models_compare") + (f"?{urlencode([('m', slug) for slug in slugs])}" if slugs else "")

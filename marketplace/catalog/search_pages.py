"""/models: the catalog, searched, narrowed and sorted. A search is a link."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace.catalog.access import reader_of
from marketplace.catalog.facets import FACETS
from marketplace.catalog.pages import shown_all
from marketplace.catalog.search import PAGE, SORTS, Found, Query, search

LONGEST = 200  # letters of a search
MOST_PAGES = 1_000
FIRST = 8  # choices of a facet that are seen at first
FOLDED = frozenset(("quality", "context", "language", "licence", "publisher"))  # facets that are closed at first
LABELS: dict[str, Promise] = {
    "relevance": _("best match"),
    "newest": _("newest first"),
    "cheapest": _("cheapest first"),
    "used": _("most used"),
    "fastest": _("fastest first"),
    "quality": _("best quality"),
    "rated": _("best rated"),
    "name": _("by name"),
}


def catalog(request: HttpRequest) -> HttpResponse:
    """The models that the visitor may see: a whole page, or for htmx what changes of it."""
    query, page = asked(request), _page(request)
    begin = (page - 1) * PAGE
    found = search(query, reader_of(request), begin)
    narrowed = bool(query.words or query.chosen)
    context = {
        "models": shown_all(found.models),
        "found": found,
        "query": query,
        "first": begin + 1,
        "last": begin + len(found.models),
        "before": address(query, page - 1) if page > 1 else "",
        "after": address(query, page + 1) if begin + PAGE < found.total and page < MOST_PAGES else "",
        "facets": _facets(found),
        "filters": _filters(query, found),
        "sorts": [(sort, LABELS[sort]) for sort in SORTS],
        "everything": address(Query(query.words)),
        "feed": address(query).replace(reverse("catalog"), reverse("models_feed"), 1) if narrowed else "",
    }
    whole = not request.headers.get("HX-Request") or "HX-History-Restore-Request" in request.headers
    name = "catalog" if whole else "_found"
    response = render(request, f"marketplace/catalog/{name}.html", context)
    patch_vary_headers(response, ["HX-Request"])
    if not whole:
        response["HX-Push-Url"] = address(query, page)  # without what is empty
    return response


def asked(request: HttpRequest) -> Query:
    """What the address says: q, sort and each facet's values."""
    chosen = {name: tuple(filter(None, request.GET.getlist(name))) for name in FACETS}
    return Query(
        request.GET.get("q", "")[:LONGEST],
        {name: values for name, values in chosen.items() if values},
        request.GET.get("sort") or "relevance",
    )


def address(query: Query, page: int = 1) -> str:
    """The link to a search."""
    fields = [("q", query.words)] if query.words else []
    fields += [(name, value) for name, values in query.chosen.items() for value in values]
    fields += [("sort", query.sort)] if query.sort != "relevance" else []
    fields += [("page", str(page))] if page > 1 else []
    return reverse("catalog") + (f"?{urlencode(fields)}" if fields else "")


def _page(request: HttpRequest) -> int:
    try:
        return min(max(int(request.GET.get("page", 1)), 1), MOST_PAGES)
    except ValueError:
        return 1


def _facets(found: Found) -> list[dict[str, Any]]:
    return [
        {"name": name, "label": FACETS[name].label, "choices": choices[:FIRST], "more": choices[FIRST:],
         "open": name not in FOLDED or any(choice.chosen for choice in choices),
         "all": any(choice.chosen for choice in choices[FIRST:])}
        for name, choices in found.facets.items() if choices
    ]  # fmt: skip


def _filters(query: Query, found: Found) -> list[dict[str, Any]]:
    """Each value that is chosen, with the search without it; and how many there are without the whole facet."""
    shown = []
    for name, values in query.chosen.items():
        labels = {choice.value: choice.label for choice in found.facets[name]}
        for value in values:
            rest = {**query.chosen, name: tuple(one for one in values if one != value)}
            shown.append({
                "facet": FACETS[name].label, "label": labels.get(value, value), "count": found.without[name],
                "without": address(Query(query.words, rest, query.sort)),
                "without_all": address(Query(query.words, {**rest, name: ()}, query.sort)),
            })  # fmt: skip
    return shown

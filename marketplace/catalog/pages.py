"""A model's own page, its card, and the fragments that ask for themselves again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext

from billing.objectives.standing import standing
from billing.prices import book
from billing.prices.models import Price
from billing.prices.quote import FREE
from marketplace.catalog import pricing, retiring, snippets, takedowns
from marketplace.catalog.access import model_of, workspace_id_of
from marketplace.catalog.cards import html_of
from marketplace.catalog.languages import spoken
from marketplace.catalog.models import Model, Retirement, Visibility
from marketplace.catalog.preview import Preview, png
from marketplace.catalog.sharing import shared
from marketplace.catalog.state import ModelState, state_of
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec


def model(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """One model: its state, its panel to try it, its interface, its card and versions."""
    found = model_of(request, publisher, name)
    task = registry.get(found.task)
    spec = ModelSpec.from_json(found.live_version.spec) if found.live_version else ModelSpec()
    seen, taken = shown_all([found])[0], takedowns.refusing(found)
    context = {
        "model": seen | ({"live": False, "waiting": False} if taken else {}),
        "taken": taken,
        "take_downs": takedowns.down(found),
        "visibility": "" if found.visibility == Visibility.PUBLIC else found.get_visibility_display(),
        "task": task,
        "spec": spec,
        "example": task.example(spec),
        "examples": list(spec.examples or task.examples),
        "shared": shared(request, found.title, found.summary, [found]),
        "card": html_of(found.card),
        "metrics": [
            (metric.label, metric.show(found.live_version.metrics[metric.name]))
            for metric in task.metrics
            if found.live_version and metric.name in found.live_version.metrics
        ],
        "versions": found.versions.order_by("-number")[:5],
        "languages": spoken(found.languages),
        "snippets": snippets.of(found.slug, task, task.example(spec), settings.SITE_URL),
        "schema": task.codec.input_schema(spec),
        "objective": standing(found.slug, timezone.now().date()),
        "retirements": found.retirements.select_related("version", "successor__publisher").order_by("ends_at"),
        "now": timezone.now(),
        **pricing.page(found, workspace_id_of(request)),
        **_run(found),
    }
    response = render(request, "marketplace/catalog/model.html", context)
    if found.visibility != Visibility.PUBLIC:
        response["X-Robots-Tag"] = "noindex"  # an unlisted page may be linked to somewhere
    return response


def model_state(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """The state as it is now; asks for itself again until the model is live."""
    found = model_of(request, publisher, name)
    context = {"model": shown_all([found])[0], **_run(found)}
    response = render(request, "marketplace/catalog/_state.html", context)
    if context["model"]["state"] == ModelState.LIVE:
        response["HX-Refresh"] = "true"
    return response


def model_row(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """The model's card in the catalog, which asks for itself again until the model is live."""
    found = model_of(request, publisher, name)
    return render(request, "marketplace/catalog/_card.html", {"model": shown_all([found])[0]})


def model_preview(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """The picture that stands for the model where its page is shared."""
    found = model_of(request, publisher, name)
    seen = shown_all([found])[0]
    metric = f"{gettext(seen['metric'][0])} {seen['metric'][1]}" if seen["metric"] else ""
    facts = " · ".join(filter(None, (seen["price"], metric)))
    drawn = png(Preview(found.title, found.slug, found.summary, gettext(seen["task"].title), facts))
    response = HttpResponse(drawn, content_type="image/png")
    patch_cache_control(
        response, max_age=3_600, **{"public" if found.visibility == Visibility.PUBLIC else "private": True}
    )
    return response


def shown_all(models: Iterable[Model]) -> list[dict[str, Any]]:
    """What cards show of models from `visibility.visible`."""
    found = list(models)
    prices, going = book.currents(model.pk for model in found), retiring.announced(found)
    return [_shown(model, prices.get(model.pk), going.get(model.pk)) for model in found]


def _shown(found: Model, price: Price | None, goes: Retirement | None) -> dict[str, Any]:
    task, listing = registry.get(found.task), getattr(found, "listing", None)
    gone = goes is not None and goes.ends_at <= timezone.now()
    state = ModelState.GONE if gone else state_of(found.live_version is not None, getattr(found, "run_state", None))
    metrics = found.live_version.metrics if found.live_version else {}
    first = next((m for m in task.metrics if m.name in metrics), None)
    return {
        "slug": found.slug,
        "publisher": found.publisher.slug,
        "name": found.name,
        "title": found.title,
        "summary": found.summary,
        "task": task,
        "licence": found.licence,
        "state": state.value,
        "state_label": state.label,
        "live": state == ModelState.LIVE,
        "waiting": state in (ModelState.QUEUED, ModelState.TRAINING),
        "version": found.live_version.number if found.live_version else None,
        "price": book.label(price.scheme if price else FREE),
        "metric": (first.label, first.show(metrics[first.name])) if first else None,
        "goes_at": goes.ends_at if goes else None,
        "requests": listing.requests if listing else 0,  # of the last seven days, as is p50_ms
        "reviews": listing.reviews if listing else 0,
        "stars": listing.stars / listing.reviews if listing and listing.reviews else None,
        "p50_ms": listing.p50_ms if listing else None,
    }


def _run(found: Model) -> dict[str, Any]:
    run = found.runs.order_by("-created_at").first()
    if run is None:
        return {"run": None}
    progress = run.progress
    done = progress.get("epoch", 0) - (0 if progress.get("epoch_ended") else 1)
    epochs = progress.get("epochs") or 0
    percent = round(100 * max(done, 0) / epochs) if epochs and progress.get("phase") == "training" else None
    points = run.curve
    chart = {
        "x": [p["epoch"] for p in points],
        "series": [
            {"label": "loss", "values": [p["loss"] for p in points]},
            {"label": progress.get("metric_name") or "validation", "values": [p["metric"] for p in points]},
        ],
    }
    return {"run": run, "percent": percent, "curve": points, "chart": chart if len(points) > 1 else None}

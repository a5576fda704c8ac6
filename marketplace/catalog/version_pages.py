"""/models/{publisher}/{name}/versions: what each version changed."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from marketplace.catalog import semver, takedowns
from marketplace.catalog.access import model_of
from marketplace.catalog.models import Version
from marketplace.tasks import registry
from marketplace.tasks.task import Metric, ModelSpec, Task

MOST = 50  # versions on the page, the newest
MOST_SAID = 60  # characters of what a schema said
WORDS = {
    "type": _("type"),
    "enum": _("values"),
    "required": _("required"),
    "properties": _("field"),
    "oneOf": _("forms"),
    "anyOf": _("forms"),
}


def versions(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """The newest versions, each with its notes, its figures, and how its schemas differ from those before."""
    model = model_of(request, publisher, name)
    task = registry.get(model.task)
    found = list(model.versions.order_by("-number")[: MOST + 1])
    rows = [_shown(task, new, old) for new, old in pairwise([*found, None]) if new is not None]
    down = {one.version_id for one in takedowns.down(model)}  # None: the whole model
    context = {"model": model, "rows": rows[:MOST], "live": model.live_version_id, "down": down}
    return render(request, "marketplace/catalog/versions.html", context)


def _shown(task: Task, new: Version, old: Version | None) -> dict[str, Any]:
    changes = semver.changes(task, ModelSpec.from_json(old.spec), ModelSpec.from_json(new.spec)) if old else []
    return {
        "version": new,
        "rollbacks": list(new.rollbacks.select_related("to").order_by("-at")),
        "before": old,
        "changes": [
            {
                "where": f"{one.side}{one.path}",
                "what": WORDS.get(one.keyword, one.keyword),
                "was": _said(one.was),
                "now": _said(one.now),
                "breaking": one.breaking,
            }
            for one in changes
        ],
        "metrics": [_figure(metric, new, old) for metric in task.metrics if metric.name in new.metrics],
    }


def _figure(metric: Metric, new: Version, old: Version | None) -> dict[str, Any]:
    value, before = new.metrics[metric.name], old.metrics.get(metric.name) if old else None
    better = None if before is None or before == value else (value > before) == metric.higher_is_better
    return {
        "label": metric.label,
        "value": metric.show(value),
        "before": metric.show(before) if before is not None else None,
        "better": better,
    }


def _said(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if value is not None else "–"
    return text if len(text) <= MOST_SAID else f"{text[:MOST_SAID]}…"

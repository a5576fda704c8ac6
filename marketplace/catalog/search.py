"""Finding models."""

from __future__ import annotations

from django.db.models import OuterRef, Q, QuerySet, Subquery

from marketplace.catalog.models import Model, Visibility
from marketplace.tasks import registry
from portal.kit.errors import Problem

SORTS = {"newest": ("-created_at", "pk"), "name": ("title", "pk"), "task": ("task", "title", "pk")}
PAGE = 24
MOST_WORDS = 8


class SearchInvalid(Problem):
    """A facet or order that does not exist."""

    status = 422
    code = "search_invalid"


def visible(workspace_id: str | None) -> QuerySet[Model]:
    """Models that the workspace may see, with publisher and live version at hand, and the latest run's state."""
    latest = Model.runs.rel.related_model.objects.filter(model=OuterRef("pk")).order_by("-created_at")  # type: ignore[attr-defined] # a reverse descriptor
    mine = Q(visibility=Visibility.PUBLIC) | Q(publisher_id=workspace_id or "")
    return (
        Model.objects.filter(mine)
        .select_related("publisher", "live_version")
        .annotate(run_state=Subquery(latest.values("state")[:1]))
    )


def search(models: QuerySet[Model], words: str = "", task: str = "", sort: str = "name") -> QuerySet[Model]:
    """Those of `models` in which every word occurs. Raises SearchInvalid for an unknown task or sort."""
    if task and task not in registry.TASKS:
        raise SearchInvalid(f"There is no task {task[:40]!r}.", param="task")
    if sort not in SORTS:
        raise SearchInvalid(f"Sort by one of {', '.join(SORTS)}.", param="sort")
    for word in words.split()[:MOST_WORDS]:
        models = models.filter(
            Q(name__icontains=word)
            | Q(title__icontains=word)
            | Q(summary__icontains=word)
            | Q(task__icontains=word)
            | Q(publisher__slug__icontains=word)
        )
    if task:
        models = models.filter(task=task)
    return models.order_by(*SORTS[sort])

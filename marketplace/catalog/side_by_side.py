"""Up to four models side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import Q

from billing.prices import book
from billing.prices.quote import FREE
from marketplace.catalog import takedowns
from marketplace.catalog.languages import spoken
from marketplace.catalog.models import Listing, Model
from marketplace.catalog.search import Query, search
from marketplace.catalog.visibility import Reader, visible
from marketplace.tasks import registry
from marketplace.tasks.task import Metric, Task

MOST = 4
SUGGESTED = 50


@dataclass(frozen=True, slots=True)
class Column:
    """A model and what is compared of it. `figures`: one for each metric of `Comparison.metrics`; blank where not measured."""

    model: Model
    task: Task
    listing: Listing | None
    prices: list[tuple[str, str]]
    figures: list[str]

    @property
    def languages(self) -> str:
        """Their own names."""
        return spoken(self.model.languages)


@dataclass(frozen=True, slots=True)
class SideBySide:
    """The columns; names that one may not see, or that do not exist; models that could be added."""

    columns: list[Column]
    metrics: list[Metric]
    missing: list[str]
    suggested: list[Model]


def side_by_side(slugs: Sequence[str], reader: Reader) -> SideBySide:
    """The first MOST of the models `publisher/name`, in their order, as the reader may see them."""
    wanted = list(dict.fromkeys(slugs))[:MOST]
    named = [Q(publisher__slug=slug.partition("/")[0], name=slug.partition("/")[2]) for slug in wanted]
    found = {model.slug: model for model in takedowns.there(visible(reader)).filter(reduce(or_, named, Q(pk=None)))}
    models = [found[slug] for slug in wanted if slug in found]
    tasks = [registry.get(model.task) for model in models]
    metrics = list({(metric.name, metric.label): metric for task in tasks for metric in task.metrics}.values())
    prices = book.currents(model.pk for model in models)
    listed = Listing.objects.in_bulk([model.pk for model in models])
    columns = []
    for model, task in zip(models, tasks, strict=True):
        price = prices.get(model.pk)
        measured = model.live_version.metrics if model.live_version else {}
        # Tasks have metrics of one name that are not the same: an accuracy of pictures, and one of the next letter.
        own = {metric.name: metric.label for metric in task.metrics if metric.name in measured}
        figures = [
            metric.show(measured[metric.name]) if own.get(metric.name) == metric.label else "" for metric in metrics
        ]
        columns.append(Column(model, task, listed.get(model.pk), book.lines(price.scheme if price else FREE), figures))
    kept = [at for at, _metric in enumerate(metrics) if any(column.figures[at] for column in columns)]
    columns = [
        Column(one.model, one.task, one.listing, one.prices, [one.figures[at] for at in kept]) for one in columns
    ]
    same = {"task": list({task.name for task in tasks})} if tasks else {}
    suggested = search(Query("", same, live=True), reader, count=SUGGESTED, counted=False).models
    return SideBySide(
        columns,
        [metrics[at] for at in kept],
        [slug for slug in wanted if slug not in found],
        [model for model in suggested if model.slug not in found],
    )

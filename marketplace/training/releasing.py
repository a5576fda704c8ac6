"""A run's model becomes a version in the catalog: of a new model of the workspace, or the next of one it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from billing.prices import book
from marketplace.catalog import resolve
from marketplace.catalog.models import Model, Version, Visibility
from marketplace.catalog.pricing import set_price
from marketplace.catalog.versions import publish
from marketplace.errors import DatasetInvalid
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from marketplace.training.keeping import place_of
from marketplace.training.models import Run, RunState


def release(run: Run, name: str, title: str, notes: str, row_nanos: int) -> Version:
    """Publishes the run's model, seen by its workspace only; once: later calls give the same version.

    `row_nanos`: the price of a row. Raises DatasetInvalid for a name that will not do or is another task's, and what
    pricing.set_price raises.
    """
    with transaction.atomic():
        locked = (
            Run.objects.select_for_update(of=("self",)).select_related("workspace", "version", "search").get(pk=run.pk)
        )
        if locked.version is not None:
            return locked.version
        if locked.state != RunState.SUCCEEDED or locked.workspace is None or locked.purged_at is not None:
            raise DatasetInvalid(_("This run has no model to publish."), status=409)
        if locked.search is not None and locked.search.winner_id != locked.pk:
            raise DatasetInvalid(_("The search that this run belongs to has not ended yet."), status=409)
        outcome: Mapping[str, Any] = locked.outcome or {}
        model, made = Model.objects.get_or_create(
            publisher=locked.workspace,
            name=name,
            defaults={"task": locked.asked["task"], "title": title or name, "visibility": Visibility.WORKSPACE},
        )
        if made:
            try:
                model.clean_fields(exclude=["publisher", "card", "summary", "licence"])
            except ValidationError as error:
                raise DatasetInvalid(" ".join(error.messages), param="name") from error
        if model.task != locked.asked["task"]:
            raise DatasetInvalid(_("%(model)s does something else: choose another name.") % {"model": model.slug})
        if made or row_nanos != price_of(model):
            unit = _unit(model)
            set_price(model, {unit: book.rate(unit, row_nanos)}, confirmed=True)
        summary = _summary(outcome) % {
            "target": locked.asked["target"],
            "count": len(outcome["spec"]["features"]),
            "table": locked.dataset,
        }
        Model.objects.filter(pk=model.pk).update(card=_card(locked, outcome), summary=summary[:300])
        version = publish(
            model,
            engine="tensorflow",
            source=str(place_of(locked)),
            spec=ModelSpec.from_json(outcome["spec"]),
            metrics=outcome["metrics"],
            notes=notes,
        )
        Run.objects.filter(pk=locked.pk).update(model=model, version=version)
    resolve.forget()
    return version


def price_of(model: Model) -> int:
    """Nano-dollars of a row now, or of an image."""
    price = book.current(model.pk)
    return price.scheme.cost({_unit(model): 1}) if price else 0


def _unit(model: Model) -> str:
    return registry.get(model.task).row_unit


def _summary(outcome: Mapping[str, Any]) -> str:
    if outcome["spec"]["features"]:
        return _("Predicts %(target)s from %(count)s columns of %(table)s.")
    return _("Predicts %(target)s, learnt from %(table)s.")


def versions_before(run: Run) -> list[Version]:
    """Live versions of the workspace's models that learnt the same target, to compare with; the version before for one's own."""
    if run.version is not None:
        return list(run.version.model.versions.filter(number__lt=run.version.number).order_by("-number")[:1])
    known = Model.objects.filter(
        publisher=run.workspace, live_version__run__asked__target=run.asked["target"], task=run.asked["task"]
    )
    return [
        model.live_version for model in known.select_related("live_version__model__publisher") if model.live_version
    ]


def _card(run: Run, outcome: Mapping[str, Any]) -> str:
    """Markdown in English, as every card."""
    rows = [
        f"| {metric.label} | {metric.show(outcome['metrics'][metric.name])} | "
        f"{metric.show(outcome['baseline'][metric.name]) if metric.name in outcome['baseline'] else '–'} |"
        for metric in registry.get(run.asked["task"]).metrics
        if metric.name in outcome["metrics"]
    ]
    train, validation, test = (f"{count:,}" for count in outcome["facts"]["rows"])
    unit, columns = outcome["facts"].get("unit", "rows"), outcome["spec"]["features"]
    return (
        f"Trained here by the recipe `{run.recipe}` on data of its publisher.\n\n## Quality\n"
        "On the test split, which nothing was fitted on, of the exported model as it is served:\n\n"
        "| metric | this model | trivial baseline |\n|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"Split before anything was fitted: {train} {unit} for training, {validation} for validation, {test} for the test. "
        f"{outcome['facts']['parameters']:,} parameters.\n"
        + ("Missing cells are allowed; a category that is not known counts as unknown.\n" if columns else "")
    )

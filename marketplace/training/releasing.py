"""A run's model becomes a version in the catalog: of a new model of the workspace, or the next of one it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from billing.prices import book
from marketplace.catalog import resolve, semver
from marketplace.catalog.models import Model, Split, Version, Visibility
from marketplace.catalog.pricing import set_price
from marketplace.catalog.versions import go_live, publish, try_on
from marketplace.errors import DatasetInvalid
from marketplace.publishers import rights
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from marketplace.training.keeping import place_of
from marketplace.training.models import Run, RunState


@dataclass(frozen=True, slots=True)
class Release:
    """What a version shall be published as. What is None is written of the run; `percent` of its model's calls go to it."""

    name: str
    title: str = ""
    notes: str = ""
    row_nanos: int = 0  # the price of a row, or of an image
    visibility: str = Visibility.WORKSPACE
    percent: int = 100
    licence: str | None = None
    summary: str | None = None
    card: str | None = None


def release(run: Run, wanted: Release) -> Version:
    """Publishes the run's model as wanted; once: later calls give the same version.

    Raises DatasetInvalid for a name that will not do or is another task's, and for a canary without a version before;
    what publishers.rights.check raises of the visibility, and what pricing.set_price raises.
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
        model, before = _model(locked, wanted)
        unit = _unit(model)
        if before is None or wanted.row_nanos != price_of(model):
            set_price(model, {unit: book.rate(unit, wanted.row_nanos)}, confirmed=True)
        model.title = wanted.title or model.title
        model.summary = (summary(locked) if wanted.summary is None else wanted.summary)[:300]
        model.card = card(locked) if wanted.card is None else wanted.card
        model.licence = model.licence if wanted.licence is None else wanted.licence
        model.visibility = wanted.visibility
        model.save(update_fields=["title", "summary", "card", "licence", "visibility"])
        version = publish(
            model,
            engine="tensorflow",
            source=str(place_of(locked)),
            spec=ModelSpec.from_json(outcome["spec"]),
            metrics=outcome["metrics"],
            notes=wanted.notes,
        )
        if before is None or wanted.percent == 100:
            go_live(model, version)
        else:
            try_on(model, version, before, wanted.percent)
        Run.objects.filter(pk=locked.pk).update(model=model, version=version)
    resolve.forget()
    return version


def _model(run: Run, wanted: Release) -> tuple[Model, Version | None]:
    """The model that gets the version, new or not, and its live version. See `release` for what it raises."""
    assert run.workspace is not None
    model, made = Model.objects.get_or_create(
        publisher=run.workspace,
        name=wanted.name,
        defaults={
            "task": run.asked["task"],
            "title": wanted.title or wanted.name,
            "visibility": Visibility.WORKSPACE,
        },
    )
    if made:
        try:
            model.clean_fields(exclude=["publisher", "card", "summary", "licence"])
        except ValidationError as error:
            raise DatasetInvalid(" ".join(error.messages), param="name") from error
    if model.task != run.asked["task"]:
        told = _("%(model)s does something else: choose another name.") % {"model": model.slug}
        raise DatasetInvalid(told, param="name")
    rights.check(run.workspace, wanted.visibility)
    if model.live_version is None and wanted.percent != 100:
        raise DatasetInvalid(_("A new model has no version before that could answer the other calls."), param="percent")
    return model, model.live_version


def end_canary(run: Run, live: bool) -> None:
    """The run's version answers all calls from now on, or none: then the one before does. Twice does no harm."""
    assert run.version is not None
    model = run.version.model
    shares = Split.objects.filter(model=model).exclude(version=run.version)
    before = shares.order_by("-version__number").first()
    if before is not None:
        go_live(model, run.version if live else before.version)
        resolve.forget()


def share_of(version: Version) -> int | None:
    """The percent of its model's calls that it answers as a canary; None where it is none."""
    shares = {split.version_id: split.weight for split in Split.objects.filter(model_id=version.model_id)}
    if version.pk not in shares or len(shares) < 2:
        return None
    return round(100 * shares[version.pk] / sum(shares.values()))


def price_of(model: Model) -> int:
    """Nano-dollars of a row now, or of an image."""
    price = book.current(model.pk)
    return price.scheme.cost({_unit(model): 1}) if price else 0


def _unit(model: Model) -> str:
    return registry.get(model.task).row_unit


def summary(run: Run) -> str:
    """A sentence on the run's model."""
    spec = (run.outcome or {})["spec"]
    told = (
        _("Predicts %(target)s from %(count)s columns of %(table)s.")
        if spec.get("features")
        else _("Predicts %(target)s, learnt from %(table)s.")
    )
    return told % {"target": run.asked["target"], "count": len(spec.get("features", ())), "table": run.dataset}


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


def before(run: Run) -> dict[str, Any] | None:
    """The version to compare the run with on its own test rows: what recipes.comparing reads. None without one.

    `apart`: whether it learnt none of these rows, since it learnt the same data, split in the same way.
    """
    known = next((one for one in versions_before(run) if one.engine == "tensorflow"), None)
    if known is None:
        return None
    learnt = Run.objects.filter(version=known).select_related("table").first()
    apart = learnt is not None and learnt.table is not None and run.table is not None
    if apart:
        assert learnt is not None
        apart = _split_by(learnt) == _split_by(run)
    return {
        "version": known.pk,
        "model": known.model.slug,
        "number": known.number,
        "semver": known.semver,
        "apart": apart,
        "source": known.source,
        "spec": {**known.spec, "examples": []},
    }


def _split_by(run: Run) -> tuple[Any, ...]:
    """Runs in which this is the same have the same test rows."""
    assert run.table is not None
    asked, seed = run.asked, run.params.get("seed", 1)
    once = asked.get("choices", {}).get("once", False)
    return (run.table.sha256, asked["target"], asked["task"], asked.get("text", ""), once, seed)


def following(run: Run, last: Version) -> tuple[str, list[semver.Change]]:
    """The number that the run's model would have after that version, and what it would change for callers."""
    task, spec = registry.get(run.asked["task"]), (run.outcome or {})["spec"]
    found = semver.changes(task, ModelSpec.from_json(last.spec), ModelSpec.from_json(spec))
    return semver.following(last.semver, found), found


def card(run: Run) -> str:
    """Markdown in English, as every card."""
    outcome: Mapping[str, Any] = run.outcome or {}
    rows = [
        f"| {metric.label} | {metric.show(outcome['metrics'][metric.name])} | "
        f"{metric.show(outcome['baseline'][metric.name]) if metric.name in outcome['baseline'] else '–'} |"
        for metric in registry.get(run.asked["task"]).metrics
        if metric.name in outcome["metrics"]
    ]
    train, validation, test = (f"{count:,}" for count in outcome["facts"]["rows"])
    unit, columns = outcome["facts"].get("unit", "rows"), outcome["spec"].get("features")
    return (
        f"Trained here by the recipe `{run.recipe}` on data of its publisher.\n\n## Quality\n"
        "On the test split, which nothing was fitted on, of the exported model as it is served:\n\n"
        "| metric | this model | trivial baseline |\n|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"Split before anything was fitted: {train} {unit} for training, {validation} for validation, {test} for the test. "
        f"{outcome['facts']['parameters']:,} parameters.\n"
        + ("Missing cells are allowed; a category that is not known counts as unknown.\n" if columns else "")
    )

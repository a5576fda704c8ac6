"""Publishing versions: the next number goes live, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from marketplace.catalog import semver
from marketplace.catalog.listings import relist
from marketplace.catalog.models import Model, Split, Version
from marketplace.errors import ModelNotFound
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec


def split(model: Model, weights: Mapping[int, int]) -> None:
    """Shares the model's calls among versions: number → weight. None ends it: the live version answers all.

    Raises ModelNotFound for a version that the model does not have.
    """
    with transaction.atomic():
        locked = Model.objects.select_for_update().get(pk=model.pk)
        found = {version.number: version for version in locked.versions.filter(number__in=weights)}
        for number in weights:
            if number not in found:
                raise ModelNotFound(f"{model.slug} has no version {number}.")
        Split.objects.filter(model=locked).delete()
        Split.objects.bulk_create(
            Split(model=locked, version=found[number], weight=weight) for number, weight in weights.items() if weight
        )


def try_on(model: Model, version: Version, before: Version, percent: int) -> None:
    """A canary: the version answers so many of a hundred calls, and `before`, which stays the live one, all others."""
    with transaction.atomic():
        split(model, {before.number: 100 - percent, version.number: percent})
        Model.objects.filter(pk=model.pk).update(live_version=before)
        relist(model.pk)


def go_live(model: Model, version: Version) -> None:
    """The version answers all calls of its model: the end of a canary, either way."""
    with transaction.atomic():
        split(model, {})
        Model.objects.filter(pk=model.pk).update(live_version=version)
        relist(model.pk)


def publish(
    model: Model,
    *,
    engine: str,
    source: str,
    spec: ModelSpec,
    options: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    notes: str = "",
) -> Version:
    """The next version of the model, live from now on. Locks the model's row."""
    with transaction.atomic():
        locked = Model.objects.select_for_update().get(pk=model.pk)
        last = locked.versions.order_by("-number").first()
        version = Version.objects.create(
            model=locked,
            number=last.number + 1 if last else 1,
            semver=_semver(locked, last, spec),
            engine=engine,
            source=source,
            options=dict(options or {}),
            spec=spec.to_json(),
            metrics=dict(metrics or {}),
            notes=notes,
        )
        Model.objects.filter(pk=locked.pk).update(live_version=version)
        relist(locked.pk)
    return version


def _semver(model: Model, last: Version | None, spec: ModelSpec) -> str:
    if last is None:
        return semver.FIRST
    return semver.following(last.semver, semver.changes(registry.get(model.task), ModelSpec.from_json(last.spec), spec))

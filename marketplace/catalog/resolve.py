"""From `publisher/name`, `publisher/name@3` or `publisher/name@1.2.0` to the version that answers, at most a second old."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from marketplace.catalog import retiring, takedowns
from marketplace.catalog.models import Model, TakeDown, Version
from marketplace.catalog.visibility import Reader, allows
from marketplace.errors import ModelGone, ModelNotFound, ModelNotReady, ModelTakenDown
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec, Task
from portal.kit.caches import RecentValues


@dataclass(frozen=True, slots=True)
class Leaving:
    """What is announced of a model or version that will go."""

    announced_at: datetime
    ends_at: datetime
    successor: str  # publisher/name; empty without one


@dataclass(frozen=True, slots=True)
class Taken:
    """Why an operator took a model or version down."""

    category: str
    reason: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """A version, and all that the hot path needs to know of it."""

    slug: str  # publisher/name
    model_id: str
    owner_id: str  # the publisher's workspace
    visibility: str
    version_id: str
    number: int
    engine: str
    source: str
    options: Mapping[str, Any]
    task: Task
    spec: ModelSpec
    leaving: Leaving | None = None
    taken: Taken | None = None
    splits: tuple[tuple[Resolved, int], ...] = ()  # versions that share the calls, with their weights


def choose(found: Resolved) -> Resolved:
    """The version that answers this call: `found`, or one of those that share its calls, by their weights."""
    if not found.splits:
        return found
    versions, weights = zip(*found.splits, strict=True)
    chosen: Resolved = random.choices(versions, weights)[0]  # noqa: S311 – no secret
    return chosen


def resolve(name: str, workspace_id: str, changes: bool = True) -> Resolved:
    """The version that answers for this workspace: its keys, or a member who may or may not make `changes` there.

    Raises ModelNotFound (404), also for another workspace's private model, ModelTakenDown (451), ModelGone (410) for what was retired, and
    ModelNotReady (503) without a version.
    """
    found = _recent.get(name)
    if found is None or not allows(found.visibility, found.owner_id, Reader(workspace_id, changes)):
        raise ModelNotFound(
            f"There is no model {name[:120]!r}: GET /v1/models lists those that you can call.", param="/model"
        )
    if found.taken is not None and not found.splits:
        raise ModelTakenDown(
            f"{name[:120]} was taken down by an operator of this marketplace: {found.taken.reason}",
            param="/model",
            details={"category": found.taken.category, "reason": found.taken.reason},
        )
    if found.leaving is not None and found.leaving.ends_at <= timezone.now():
        instead = f" Use {found.leaving.successor}." if found.leaving.successor else ""
        raise ModelGone(f"{name[:120]} was retired on {found.leaving.ends_at:%Y-%m-%d}.{instead}", param="/model")
    if not found.version_id:
        raise ModelNotReady(f"{found.slug} has no version yet: it may still be training.", retry_after_s=5)
    return found


def answering(name: str) -> Resolved | None:
    """The live version of `publisher/name`, whoever may call it; None where there is none, or it is gone."""
    found = _recent.get(name)
    if found is None or not found.version_id:
        return None
    return None if found.leaving is not None and found.leaving.ends_at <= timezone.now() else found


def _load(name: str) -> Resolved | None:
    slug, _, number = name.partition("@")
    publisher, _, short = slug.partition("/")
    model = Model.objects.select_related("live_version").filter(publisher__slug=publisher, name=short).first()
    if model is None:
        return None
    version, down = model.live_version, takedowns.down(model)
    if number:
        which = {"number": int(number)} if number.isdecimal() and len(number) < 10 else {"semver": number}
        version = model.versions.filter(**which).first()
        if version is None:
            return None
        return _resolved(slug, model, version, down)
    shares = [
        (_resolved(slug, model, split.version, down), split.weight) for split in model.splits.select_related("version")
    ]
    return _resolved(slug, model, version, down, tuple(share for share in shares if share[0].taken is None))


def _resolved(
    slug: str,
    model: Model,
    version: Version | None,
    down: list[TakeDown],
    splits: tuple[tuple[Resolved, int], ...] = (),
) -> Resolved:
    taken = next((one for one in down if one.version_id in (None, version.pk if version else None)), None)
    return Resolved(
        slug=slug,
        model_id=model.pk,
        owner_id=model.publisher_id,
        visibility=model.visibility,
        version_id=version.pk if version else "",
        number=version.number if version else 0,
        engine=version.engine if version else "",
        source=version.source if version else "",
        options=version.options if version else {},
        task=registry.get(model.task),
        spec=ModelSpec.from_json(version.spec) if version else ModelSpec(),
        leaving=_leaving(model, version),
        taken=Taken(taken.category, taken.reason) if taken else None,
        splits=splits,
    )


def _leaving(model: Model, version: Version | None) -> Leaving | None:
    found = retiring.of(model, version)
    if found is None:
        return None
    return Leaving(found.announced_at, found.ends_at, found.successor.slug if found.successor else "")


_recent: RecentValues[str, Resolved | None] = RecentValues(_load, settings.CATALOG_MAX_AGE_S)
forget = _recent.forget

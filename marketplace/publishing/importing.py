"""Bringing a model in: a SavedModel's folder or an upstream's address becomes a version in the catalog."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.module_loading import import_string

from billing.prices.quote import FREE, Scheme
from marketplace.catalog.models import Model, Version
from marketplace.catalog.pricing import set_price
from marketplace.catalog.versions import publish
from marketplace.errors import SourceInvalid
from marketplace.publishing import hub, oip, strangers
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec, Task
from marketplace.training.signature import describe
from portal.accounts.models import Workspace
from portal.kit import ids

LOCAL, UPSTREAM = "tensorflow", "openai"
SHUT_IN = "runner"  # what strangers made: as LOCAL, but inspected, and in a process of its own
HERE = (LOCAL, SHUT_IN)
TENSORS = ("oip", "ray")  # both speak the Open Inference Protocol
MOST_OUTPUT_TOKENS = 4096  # of an upstream's answer, where its publisher says no other number
Describe = Callable[[Path, Task], ModelSpec]  # what lies in a folder, for a task; raises SourceInvalid
CARRIED = ("chat", "text-generation", "embeddings", "image-generation")  # tasks that an OpenAI-compatible server does


@dataclass(frozen=True)
class Brought:
    """What was brought in and waits to become a version: where it is, what it takes and gives."""

    task: str
    engine: str
    place: str
    spec: ModelSpec
    options: Mapping[str, Any]


def bring_in(
    slug: str,
    task: str,
    engine: str,
    source: str,
    options: Mapping[str, Any],
) -> Brought:
    """Reads, copies or downloads it: up to minutes, in which no transaction may be open. `slug`: publisher/name.

    What strangers made is told by settings.DESCRIBE_APART, which loads it where it can do no harm. Raises SourceInvalid (422):
    unknown task or engine, a folder that is no model or holds what may not run, an address that is no http(s) URL, or an
    engine that cannot carry the task.
    """
    try:
        declared = registry.get(task)
    except KeyError as error:
        raise SourceInvalid(str(error.args[0]), param="task") from error
    if engine == LOCAL:
        if source.endswith(strangers.ARCHIVES):
            spec, place = _take_in(source, slug, declared, describe)
        else:
            folder = hub.downloaded(source) if source.startswith(hub.SCHEME) else Path(source)
            spec, place = _copy_in(folder, slug, declared)
    elif engine == SHUT_IN:
        spec, place = _take_in(source, slug, declared, import_string(settings.DESCRIBE_APART))
    elif engine == UPSTREAM:
        if declared.name not in CARRIED:
            raise SourceInvalid(f"The engine {engine} carries {', '.join(CARRIED)}, not {task}.", param="engine")
        spec = ModelSpec(
            max_output_tokens=int(options.get("max_output_tokens") or MOST_OUTPUT_TOKENS),
            context_length=options.get("context_length"),
        )
        place = _address(source)
    elif engine in TENSORS:
        place = _address(source)
        upstream_model = options.get("upstream_model") or slug
        spec = oip.describe(place, upstream_model, options.get("upstream_key_env") or "", declared)
    else:
        known = ", ".join((*HERE, UPSTREAM, *TENSORS))
        raise SourceInvalid(f"{engine!r} is not an engine here: use one of {known}.", param="engine")
    return Brought(task, engine, place, spec, options)


def check_name(name: str, task: str) -> None:
    """Raises SourceInvalid."""
    try:
        Model(name=name, task=task, title=name).clean_fields(exclude=["publisher", "card", "summary"])
    except ValidationError as error:
        raise SourceInvalid(f"The name {name!r} does not do: {' '.join(error.messages)}", param="name") from error


def add_version(
    publisher: Workspace, name: str, brought: Brought, price: Scheme | None, confirmed: bool = False
) -> Version:
    """The model's next version, live, and its price: see catalog.pricing.set_price for what that raises, and when it starts.

    Without a price, the model's stays; a new model is free. Raises SourceInvalid.
    """
    with transaction.atomic():
        model, made = Model.objects.get_or_create(
            publisher=publisher,
            name=name,
            defaults={"task": brought.task, "title": name.replace("-", " ").capitalize()},
        )
        if model.task != brought.task:
            raise SourceInvalid(
                f"{model.slug} is a model for {model.task}: a version cannot change that.", param="task"
            )
        if made or price is not None:
            asked = price or FREE
            set_price(model, asked.rates, tiers=asked.tiers, minimum_nanos=asked.minimum_nanos, confirmed=confirmed)
        return publish(
            model, engine=brought.engine, source=brought.place, spec=brought.spec, options=dict(brought.options)
        )


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise SourceInvalid(f"{url[:200]!r} is not an address like http://host:port/v1.", param="source")
    return url.rstrip("/")


def _copy_in(source: Path, slug: str, task: Task) -> tuple[ModelSpec, str]:
    """What the artifact takes and gives, and where its copy is under settings.MODELS_DIR."""
    spec = describe(source, task)
    place, building = _new_place(slug)
    if source.is_file():
        building.mkdir(parents=True)
        shutil.copy(source, building)
    else:
        shutil.copytree(source, building)
    os.rename(building, settings.MODELS_DIR / place)
    return spec, place


def _take_in(source: str, slug: str, task: Task, told: Describe) -> tuple[ModelSpec, str]:
    """The same, unpacked within bounds first: a folder, a .keras file, an archive of either, or one of the hub's."""
    place, building = _new_place(slug)
    try:
        folder = strangers.copied(source, building)
        spec = told(folder, task)
        os.rename(folder, settings.MODELS_DIR / place)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return spec, place


def _new_place(slug: str) -> tuple[str, Path]:
    """A place for a model, relative to settings.MODELS_DIR, and one to build it on the same disk."""
    place = f"{slug}/{ids.make('src')}"
    target = settings.MODELS_DIR / place
    target.parent.mkdir(parents=True, exist_ok=True)
    return place, settings.MODELS_DIR / ".building" / target.name

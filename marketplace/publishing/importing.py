"""Bringing a model in: a SavedModel's folder or an upstream's address becomes a version in the catalog."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from billing.prices import book
from marketplace.catalog.models import Model, Version
from marketplace.catalog.versions import publish
from marketplace.errors import SourceInvalid
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec, Task, Tensor
from marketplace.training.signature import describe
from portal.accounts.models import Workspace
from portal.kit import ids

_DTYPES = {
    "BOOL": "bool", "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64", "UINT8": "uint8",
    "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    "BYTES": "str",
}  # fmt: skip
_DOWNLOADED = ("*.json", "*.safetensors", "*.txt", "*.jinja", "1_Pooling/*")  # of a hub's folder; never code
LOCAL, UPSTREAM = "tensorflow", "openai"
TENSORS = ("oip", "ray")  # both speak the Open Inference Protocol
MOST_OUTPUT_TOKENS = 4096  # of an upstream's answer, where its publisher says no other number
CARRIED = ("chat", "text-generation", "embeddings", "image-generation")  # tasks that an OpenAI-compatible server does


def import_model(
    publisher: Workspace,
    name: str,
    task: str,
    engine: str,
    source: str,
    *,
    rates: Mapping[str, int],
    options: Mapping[str, Any] | None = None,
) -> Version:
    """The model's next version, live. `rates`: unit → nano-dollars per million units.

    Raises SourceInvalid (422): unknown task or engine, a bad name, a folder that is no SavedModel, an address that is
    no http(s) URL, or an engine that cannot carry the task.
    """
    try:
        declared = registry.get(task)
        Model(publisher=publisher, name=name, task=task, title=name).clean_fields(
            exclude=["publisher", "card", "summary"]
        )
    except KeyError as error:
        raise SourceInvalid(str(error.args[0]), param="task") from error
    except ValidationError as error:
        raise SourceInvalid(f"The name {name!r} does not do: {' '.join(error.messages)}", param="name") from error
    if engine == LOCAL:
        spec, place = _copy_in(_fetched(source), f"{publisher.slug}/{name}", declared)
    elif engine == UPSTREAM:
        if declared.name not in CARRIED:
            raise SourceInvalid(f"The engine {engine} carries {', '.join(CARRIED)}, not {task}.", param="engine")
        spec = ModelSpec(max_output_tokens=int((options or {}).get("max_output_tokens") or MOST_OUTPUT_TOKENS))
        place = _address(source)
    elif engine in TENSORS:
        place = _address(source).removesuffix("/v2")
        spec = _asked(place, f"{publisher.slug}/{name}", options or {})
    else:
        known = ", ".join((LOCAL, UPSTREAM, *TENSORS))
        raise SourceInvalid(f"{engine!r} is not an engine here: use one of {known}.", param="engine")
    with transaction.atomic():
        model, _ = Model.objects.get_or_create(
            publisher=publisher, name=name, defaults={"task": task, "title": name.replace("-", " ").capitalize()}
        )
        if model.task != task:
            raise SourceInvalid(
                f"{model.slug} is a model for {model.task}: a version cannot change that.", param="task"
            )
        model.price = book.publish(model.pk, rates)
        model.save(update_fields=["price"])
        return publish(model, engine=engine, source=place, spec=spec, options=options)


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise SourceInvalid(f"{url[:200]!r} is not an address like http://host:port/v1.", param="source")
    return url.rstrip("/")


def _asked(address: str, slug: str, options: Mapping[str, Any]) -> ModelSpec:
    """What a server of the Open Inference Protocol says that the model takes and gives. Raises SourceInvalid."""
    url = f"{address}/v2/models/{options.get('upstream_model') or slug}"
    secret = os.environ.get(str(options.get("upstream_key_env") or ""), "")
    try:
        answer = urllib3.request(
            "GET", url, timeout=10.0, retries=False, headers={"Authorization": f"Bearer {secret}"} if secret else {}
        )
        told = answer.json()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise SourceInvalid(f"{url} does not answer as the protocol says.", param="source") from error
    if answer.status != 200:
        raise SourceInvalid(
            f"{url} answers with {answer.status}: is the model there, and the key right?", param="source"
        )
    try:
        return ModelSpec(_told(told["inputs"]), _told(told["outputs"]))
    except (KeyError, TypeError) as error:
        raise SourceInvalid(f"{url} does not tell the model's inputs and outputs.", param="source") from error


def _told(tensors: list[Mapping[str, Any]]) -> tuple[Tensor, ...]:
    """Tensors as the protocol tells them; −1 is any size."""
    return tuple(
        Tensor(t["name"], _DTYPES[t["datatype"]], tuple(None if int(s) < 0 else int(s) for s in t["shape"]))
        for t in tensors
    )


def _fetched(source: str) -> Path:
    """The folder or file; `hf://organisation/name` is downloaded first. Raises SourceInvalid."""
    if not source.startswith("hf://"):
        return Path(source)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source.removeprefix("hf://"), allow_patterns=list(_DOWNLOADED)))
    except Exception as error:  # the library raises its own, requests' and the system's
        raise SourceInvalid(
            f"{source} cannot be downloaded: check the name and the network, or give a folder. {str(error)[:200]}",
            param="source",
        ) from error


def _copy_in(source: Path, slug: str, task: Task) -> tuple[ModelSpec, str]:
    """What the artifact takes and gives, and where its copy is under settings.MODELS_DIR."""
    spec = describe(source, task)
    place = f"{slug}/{ids.make('src')}"
    target = settings.MODELS_DIR / place
    building = settings.MODELS_DIR / ".building" / target.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        building.mkdir(parents=True)
        shutil.copy(source, building)
    else:
        shutil.copytree(source, building)
    os.rename(building, target)
    return spec, place

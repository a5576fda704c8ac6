"""The life of a dataset: uploading → checking → ready or refused. Its file grows until it has the size that was told."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import redis
from celery import current_app
from django.conf import settings
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from marketplace.errors import DatasetInvalid
from marketplace.training.models import TO_DO, Dataset, DatasetState
from marketplace.training.recipes.datasets.forms import FORMS
from marketplace.uploads import parts
from portal.accounts.models import Workspace

UNFINISHED = timedelta(days=1)  # an upload that was begun so long ago is dropped
MOST_EXAMINING_S = 180
log = logging.getLogger(__name__)


def begin(workspace: Workspace, name: str, size: int) -> Dataset:
    """A dataset without its bytes. Raises DatasetInvalid: another format (422), too large (413), too many (409)."""
    form = {"tsv": "csv", "txt": "csv", "ndjson": "jsonl"}.get(ending := Path(name).suffix[1:].lower(), ending)
    if form not in FORMS:
        raise DatasetInvalid(
            _(
                "Upload a table as CSV, JSONL or Parquet, or images as ZIP: the name ends in .csv, .jsonl, .parquet or .zip."
            )
        )
    if not 0 < size <= settings.DATASET_MAX_BYTES:
        raise too_large() if size > 0 else DatasetInvalid(_("The file is empty."))
    if workspace.datasets.count() >= settings.DATASETS_MAX:
        raise DatasetInvalid(
            _("This workspace has %(most)s datasets: delete one first.") % {"most": settings.DATASETS_MAX}, status=409
        )
    dataset = Dataset.objects.create(workspace=workspace, name=Path(name).name[:120], form=form, size=size)
    parts.begin(path_of(dataset))
    return dataset


def too_large() -> DatasetInvalid:
    """The problem of a file over the limit."""
    most = settings.DATASET_MAX_BYTES // 1024**2
    return DatasetInvalid(_("The file is larger than %(most)s MB.") % {"most": most}, status=413)


def append(dataset: Dataset, offset: int, chunks: Iterable[bytes]) -> int:
    """Writes what comes at `offset`; how many bytes are there now. With the last one the dataset is to be examined.

    Raises UploadInvalid (409) where the file does not end at `offset`: `received` in its details says where to go on.
    """
    if dataset.state != DatasetState.UPLOADING:
        raise DatasetInvalid(_("This dataset is complete."), status=409, details={"received": dataset.size})
    there = parts.append(path_of(dataset), dataset.size, offset, chunks)
    if there == dataset.size:
        uploading = Dataset.objects.filter(pk=dataset.pk, state=DatasetState.UPLOADING)
        if uploading.update(state=DatasetState.CHECKING):
            wake("examine_datasets")
    return there


def keep(workspace: Workspace, name: str, size: int, chunks: Iterable[bytes]) -> Dataset:
    """A dataset that comes in one piece. Raises as `begin` does."""
    dataset = begin(workspace, name, size)
    append(dataset, 0, chunks)
    dataset.refresh_from_db()
    return dataset


def received(dataset: Dataset) -> int:
    """Bytes that are there."""
    return parts.received(path_of(dataset))


def examine(dataset: Dataset) -> None:
    """Reads the whole file in a process of its own; then the dataset is ready, or refused with the reason."""
    command = [sys.executable, "-m", "marketplace.training.examiner", str(path_of(dataset)), dataset.form]
    found: dict[str, Any] = {"sha256": "", "refused": {"reason": "broken", "values": {}}}
    try:
        said = subprocess.run(
            command, cwd=settings.ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=MOST_EXAMINING_S
        )
        if said.returncode == 0:
            found = json.loads(said.stdout)
    except subprocess.TimeoutExpired:
        pass
    checking = Dataset.objects.filter(pk=dataset.pk, state=DatasetState.CHECKING)
    if "refused" in found:
        checking.update(state=DatasetState.REFUSED, sha256=found["sha256"], refused=found["refused"])
        return
    profile = found["profile"]
    checking.update(state=DatasetState.READY, sha256=found["sha256"], rows=profile["rows"], profile=profile)


def examine_waiting() -> None:
    """Examines what is complete, the oldest first."""
    for dataset in Dataset.objects.filter(state=DatasetState.CHECKING).order_by("created_at"):
        examine(dataset)


def drop_unfinished(now: datetime) -> None:
    """Deletes uploads that nobody goes on with."""
    for dataset in Dataset.objects.filter(state=DatasetState.UPLOADING, created_at__lt=now - UNFINISHED):
        delete(dataset)


def delete(dataset: Dataset) -> None:
    """Ends the dataset and its file. Raises DatasetInvalid (409) while a run needs it."""
    if dataset.runs.filter(state__in=TO_DO).exists():
        raise DatasetInvalid(_("A run still learns from this dataset: cancel it first."), status=409)
    place = path_of(dataset)
    dataset.delete()
    place.unlink(missing_ok=True)


def path_of(dataset: Dataset) -> Path:
    """Where it lies."""
    return Path(settings.MEDIA_ROOT) / "datasets" / dataset.pk


def wake(job: str) -> None:
    """Tells a worker that there is something to do. It would find it soon by itself: a row says so."""
    try:
        current_app.send_task(f"marketplace.jobs.{job}", retry=False)
    except (OperationalError, redis.RedisError, OSError) as error:
        log.error("no worker could be told of %s: %s", job, type(error).__name__)

"""Where archived usage is: a folder, or a bucket of S3; which file can have what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import BinaryIO, cast

from django.core.files.storage import Storage, storages
from django.db.models import QuerySet

from billing.metering.models import Archive
from billing.metering.sums import FIELDS, Used


class FileChanged(Exception):
    """A file does not hold what it should."""


def storage() -> Storage:
    """See settings.STORAGES."""
    return storages["archive"]


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The file, to read."""
    with storage().open(path) as file:
        yield cast(BinaryIO, file)


def parts(first: str, last: str, start: datetime, end: datetime) -> QuerySet[Archive]:
    """The files that can have events of the workspaces `first` to `last` from `start` until before `end`."""
    found = Archive.objects.filter(first_workspace__lte=last, last_workspace__gte=first)
    return found.filter(last_at__gte=start, first_at__lt=end)


def used_in_files(first: str, last: str, start: datetime, end: datetime) -> Iterator[Used]:
    """What is summed of these workspaces' archived events, in any order."""
    for part in parts(first, last, start, end):
        from billing.metering import parquet  # loads pyarrow: only where there is an archive

        with opened(part.path) as file:
            for row in parquet.everything(file, list(FIELDS)):
                if first <= row["workspace_id"] <= last and start <= row["recorded_at"] < end:
                    yield tuple(row[name] for name in FIELDS)


def archived(by: str, start: datetime, end: datetime) -> dict[str, tuple[int, int]]:
    """The column's values → how many events of the time all files have, and their cost in nano-dollars.

    Raises FileChanged for a file that is not what was archived.
    """
    total: dict[str, tuple[int, int]] = {}
    for part in Archive.objects.filter(last_at__gte=start, first_at__lt=end).order_by("pk"):
        from billing.metering import parquet  # loads pyarrow: only where there is an archive

        with opened(part.path) as file:
            if hashlib.sha256(file.read()).hexdigest() != part.sha256:
                raise FileChanged(f"{part.path} was changed after it was archived")
            file.seek(0)
            for name, (count, nanos) in parquet.sums(file, by, start, end).items():
                before = total.get(name, (0, 0))
                total[name] = before[0] + count, before[1] + nanos
    return total

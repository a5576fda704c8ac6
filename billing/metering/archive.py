"""Old usage leaves the database for Parquet files, some thousand events at a time, each time all or nothing.

A file is written and read back first. Then one transaction notes it and deletes its events, so every event is in the
database or in a noted file: never in both, never in neither, whenever the process dies. A file that was written and not
noted is written again under the same name, which is the hash of what it holds.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import IntegrityError, transaction
from django.db.models import Min

from billing.errors import ArchiveUnreadable
from billing.metering import parquet, partitions
from billing.metering.files import answering, storage, whole
from billing.metering.models import Archive, UsageEvent

MOST_A_FILE = 20_000  # events; SQLite's other writers wait while so many are deleted
_AT_ONCE = 500


def archive(now: datetime) -> int:
    """Moves the events of months that ended more than settings.USAGE_KEPT_DAYS ago; how many. Raises ArchiveUnreadable."""
    if not settings.USAGE_KEPT_DAYS:
        return 0
    first_kept = _month(now - timedelta(days=settings.USAGE_KEPT_DAYS))
    moved = 0
    while (oldest := UsageEvent.objects.aggregate(at=Min("recorded_at"))["at"]) and oldest < first_kept:
        month = _month(oldest)
        after = ""
        while part := _next(month, after):
            if not _move(month, part):
                return moved  # another worker is at it
            moved += len(part)
            after = part[-1].workspace_id
    partitions.drop_empty(first_kept)
    return moved


def _next(month: datetime, from_workspace: str) -> list[UsageEvent]:
    """In the order of the index of a workspace's usage; each part begins with the workspace where the last one ended."""
    rows = UsageEvent.objects.filter(recorded_at__gte=month, recorded_at__lt=partitions.following(month))
    return list(
        rows.filter(workspace_id__gte=from_workspace).order_by("workspace_id", "-recorded_at", "-id")[:MOST_A_FILE]
    )


def _move(month: datetime, part: list[UsageEvent]) -> bool:
    data = parquet.written(part)
    digest = hashlib.sha256(data).hexdigest()
    path = f"usage/{month:%Y-%m}/{digest}.parquet"
    with answering(path):
        _keep(path, data)
    nanos = sum(event.cost_nanos for event in part)
    _verify(path, digest, [event.pk for event in part], nanos)
    try:
        with transaction.atomic():
            Archive.objects.create(
                month=month, path=path, rows=len(part), cost_nanos=nanos, sha256=digest,
                first_workspace=part[0].workspace_id, last_workspace=part[-1].workspace_id,
                first_at=min(event.recorded_at for event in part), last_at=max(event.recorded_at for event in part),
            )  # fmt: skip
            pks = [event.pk for event in part]
            deleted = sum(_delete(month, pks[at : at + _AT_ONCE]) for at in range(0, len(pks), _AT_ONCE))
            if deleted != len(part):
                raise _Taken
    except (IntegrityError, _Taken):
        return False
    return True


def _delete(month: datetime, pks: list[str]) -> int:
    rows = UsageEvent.objects.filter(pk__in=pks, recorded_at__gte=month, recorded_at__lt=partitions.following(month))
    return rows.delete()[0]


class _Taken(Exception):
    """Some of the events were moved by another worker."""


def _keep(path: str, data: bytes) -> None:
    files = storage()
    if files.exists(path):
        with files.open(path) as file:
            if file.read() == data:
                return
        files.delete(path)  # half a file, of an attempt that died: one that is noted is whole
    name = files.save(path, ContentFile(data))
    if name != path:
        files.delete(name)  # another worker was quicker; what it wrote is verified next
    if not isinstance(files, FileSystemStorage):
        return  # what a bucket took is kept
    local = files.path(path)
    for name in (local, os.path.dirname(local)):
        descriptor = os.open(name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _verify(path: str, digest: str, names: list[str], nanos: int) -> None:
    rows = list(parquet.everything(whole(path, digest), ["id", "cost_nanos"]))
    if [row["id"] for row in rows] != names or sum(row["cost_nanos"] for row in rows) != nanos:
        raise ArchiveUnreadable(f"{path} does not hold what was written; its events stay in the database.")


def _month(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)

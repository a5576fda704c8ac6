"""Where archived usage is: a folder, or a bucket of S3; which file can have what."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import BinaryIO

from django.core.files.storage import Storage, storages
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing.errors import ArchiveUnreadable
from billing.metering.models import Archive
from billing.metering.sums import FIELDS, Used
from portal.kit.errors import Problem

log = logging.getLogger(__name__)


def storage() -> Storage:
    """See settings.STORAGES."""
    return storages["archive"]


@contextmanager
def answering(path: str) -> Iterator[None]:
    """Around what asks the store for a file. Raises ArchiveUnreadable for whatever keeps it from answering."""
    try:
        yield
    except Problem:
        raise
    except FileNotFoundError:
        raise ArchiveUnreadable(_("Archived usage cannot be read: %(file)s is missing.") % {"file": path}) from None
    except Exception as error:  # each kind of store has its own
        log.error("the archive does not answer: %s: %s", type(error).__name__, error)
        raise ArchiveUnreadable(
            _("The archive of old usage does not answer (%(error)s): %(file)s")
            % {"error": type(error).__name__, "file": path},
            retry_after_s=5,
        ) from error


def whole(path: str, sha256: str) -> BinaryIO:
    """The file as it was written, to read. Raises ArchiveUnreadable: nothing is parsed of a file that was changed."""
    with answering(path), storage().open(path) as file:
        data = file.read()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ArchiveUnreadable(
            _("Archived usage cannot be read: %(file)s does not hold what was archived.") % {"file": path}
        )
    return io.BytesIO(data)


def parts(first: str, last: str, start: datetime, end: datetime) -> QuerySet[Archive]:
    """The files that can have events of the workspaces `first` to `last` from `start` until before `end`."""
    found = Archive.objects.filter(first_workspace__lte=last, last_workspace__gte=first)
    return found.filter(last_at__gte=start, first_at__lt=end)


def used_in_files(first: str, last: str, start: datetime, end: datetime) -> Iterator[Used]:
    """What is summed of these workspaces' archived events, in any order. Raises ArchiveUnreadable."""
    for part in parts(first, last, start, end):
        from billing.metering import parquet  # loads pyarrow: only where there is an archive

        for row in parquet.everything(whole(part.path, part.sha256), list(FIELDS)):
            if first <= row["workspace_id"] <= last and start <= row["recorded_at"] < end:
                yield tuple(row[name] for name in FIELDS)


def archived(by: str, start: datetime, end: datetime) -> dict[str, tuple[int, int]]:
    """The column's values → how many events of the time all files have, and their cost in nano-dollars.

    Raises ArchiveUnreadable.
    """
    total: dict[str, tuple[int, int]] = {}
    for part in Archive.objects.filter(last_at__gte=start, first_at__lt=end).order_by("pk"):
        from billing.metering import parquet  # loads pyarrow: only where there is an archive

        for name, (count, nanos) in parquet.sums(whole(part.path, part.sha256), by, start, end).items():
            before = total.get(name, (0, 0))
            total[name] = before[0] + count, before[1] + nanos
    return total

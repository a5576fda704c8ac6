"""A file that comes in parts: it grows until it has the size that was told. Whose it is and what it is for, others know."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from django.utils.translation import gettext as _

from marketplace.errors import UploadInvalid


def begin(place: Path) -> None:
    """An empty file to append to."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()


def append(place: Path, size: int, offset: int, chunks: Iterable[bytes]) -> int:
    """Writes what comes at `offset`; how many of the `size` bytes are there now, on disk.

    Raises UploadInvalid: 409 where the file does not end at `offset` (`received` in its details says where to go on), 422 for
    more than `size`.
    """
    with place.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the same part twice at once, when a browser is impatient
        there = os.fstat(file.fileno()).st_size
        if there != offset:
            raise UploadInvalid(
                _("The upload goes on at byte %(at)s.") % {"at": there}, status=409, details={"received": there}
            )
        for chunk in chunks:
            there += len(chunk)
            if there > size:
                file.truncate(offset)
                raise UploadInvalid(_("More bytes came than the file was said to have."))
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return there


def received(place: Path) -> int:
    """Bytes that are there."""
    return place.stat().st_size if place.exists() else 0

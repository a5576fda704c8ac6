"""ZIP archives from strangers: only files and folders, beneath the archive's root, and never more than a bound of bytes."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator

# What reading raises where an archive is broken; NotImplementedError is zipfile's: a compression that it does not know.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)


class Odd(ValueError):
    """A member that is not taken: its name, and why."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name!r} {why}")
        self.name, self.why = name, why


def members(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """Its files and folders. Raises Odd for links, devices, absolute paths, what leads out of it, and names that hide a part."""
    for member in archive.infolist():
        name, kind = member.orig_filename, stat.S_IFMT(member.external_attr >> 16)
        if "\0" in name or member.filename != name:
            raise Odd(name, "has a name that is not plain")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise Odd(name, "is a link or a device: only files and folders are taken")
        if name.startswith("/"):
            raise Odd(name, "is an absolute path")
        if ".." in name.split("/"):
            raise Odd(name, "leads out of the archive")
        yield member


def read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes | None:
    """What the file holds; None for more than `most` bytes, whatever its header claims. Raises one of BROKEN."""
    if member.file_size > most:
        return None
    with archive.open(member) as file:
        data = file.read(most + 1)
    return data if len(data) <= most else None

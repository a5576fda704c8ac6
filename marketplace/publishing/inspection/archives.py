"""Archives from strangers: .zip, .tar and .tar.gz are unpacked within bounds, whole or not at all."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import IO, Any, cast

from marketplace.errors import SourceInvalid
from portal.kit.archives import BROKEN, Odd, members

MOST_FILES = 2_000
MOST_DEPTH = 8  # folders in one another
MOST_BYTES = 4 << 30  # of all files, and so of any
MOST_RATIO = 200  # bytes out of a byte in, once there are more than SMALL_BYTES
SMALL_BYTES = 16 << 20
BLOCK_BYTES = 1 << 20
_PLAIN = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+=@ -]{0,199}")
_BROKEN = (*BROKEN, tarfile.TarError)


def unpack(archive: Path, into: Path) -> None:
    """Unpacks into the folder, which must not exist yet; it appears when all is there.

    Nothing is written beside it, and nothing is left of an archive that is refused. Raises SourceInvalid, naming the
    member: for an absolute path, `..`, links, devices, doubles, names that are not plain, and more than the bounds above.
    """
    building = into.with_name(f".{into.name}.unpacking")
    shutil.rmtree(building, ignore_errors=True)
    try:
        building.mkdir(parents=True, mode=0o755)
        unpacked = _Unpacked(building, archive)
        (_unzip if zipfile.is_zipfile(archive) else _untar)(archive, unpacked)
        if not unpacked.names:
            raise unpacked.refusal("", "is empty")
        os.rename(building, into)
    except SourceInvalid:
        raise
    except Odd as error:
        raise unpacked.refusal(error.name, error.why) from error
    except _BROKEN as error:
        raise SourceInvalid(
            f"{archive.name} cannot be unpacked: give a .zip, .tar or .tar.gz. ({str(error)[:120]})", param="source"
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def plain(name: str) -> tuple[str, ...]:
    """The parts of a relative path. Raises ValueError that says what is wrong with it."""
    parts = tuple(part for part in name.split("/") if part)
    if name.startswith("/"):
        raise ValueError("is an absolute path")
    if ".." in parts:
        raise ValueError("leads out of the archive")
    if not parts or len(parts) > MOST_DEPTH or not all(_PLAIN.fullmatch(part) and part != "." for part in parts):
        raise ValueError("has a name that is not plain: use letters, digits, dots, hyphens and underscores")
    return parts


class _Unpacked:
    """What was written so far, beneath one folder."""

    def __init__(self, folder: Path, archive: Path) -> None:
        self.folder, self.archive = folder, archive
        self.names: set[str] = set()
        self.most = min(MOST_BYTES, max(archive.stat().st_size * MOST_RATIO, SMALL_BYTES))
        self.written = 0

    def refusal(self, name: str, why: str) -> SourceInvalid:
        """The error that names the member."""
        member = f": {name[:120]!r}" if name else ""
        return SourceInvalid(f"{self.archive.name}{member} {why}.", param="source")

    def path(self, name: str) -> Path:
        """Where the member belongs. Raises SourceInvalid."""
        try:
            parts = plain(name)
        except ValueError as error:
            raise self.refusal(name, str(error)) from None
        key = "/".join(parts).casefold()
        if key in self.names:
            raise self.refusal(name, "is there twice")
        self.names.add(key)
        if len(self.names) > MOST_FILES:
            raise self.refusal("", f"has more than {MOST_FILES} members")
        return self.folder.joinpath(*parts)

    def make_folder(self, name: str) -> None:
        """For a member that is one."""
        self.path(name).mkdir(mode=0o755, parents=True, exist_ok=True)

    def write(self, name: str, size: int, data: IO[bytes]) -> None:
        """Writes a file; `size` is what the archive claims, what comes is counted."""
        target = self.path(name)
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if size > self.most - self.written:
            raise self.refusal(name, self._too_much())
        with target.open("xb") as file:
            while block := data.read(BLOCK_BYTES):
                self.written += len(block)
                if self.written > self.most:
                    raise self.refusal(name, self._too_much())
                file.write(block)
        target.chmod(0o644)

    def _too_much(self) -> str:
        return (
            f"makes more than {self.most >> 20} MiB: at most {MOST_BYTES >> 30} GiB, and {MOST_RATIO} times the archive"
        )


def _unzip(archive: Path, unpacked: _Unpacked) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in members(opened):
            if member.is_dir():
                unpacked.make_folder(member.filename)
            else:
                with opened.open(member) as data:
                    unpacked.write(member.filename, member.file_size, data)


class _Blocks:
    """A file that tarfile reads in blocks: a header that claims to be long is refused before it fills the memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """Raises ValueError past a block."""
        if not 0 <= size <= BLOCK_BYTES:
            raise ValueError("a header is too long")
        return self._file.read(size)


def _untar(archive: Path, unpacked: _Unpacked) -> None:
    with archive.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        with tarfile.open(fileobj=cast("IO[bytes]", _Blocks(file)), mode="r:") as opened:
            for member in opened:
                if member.isdir():
                    if member.name != ".":
                        unpacked.make_folder(member.name.removeprefix("./"))
                elif member.isreg() and not member.issparse():
                    data = opened.extractfile(member)
                    assert data is not None
                    unpacked.write(member.name.removeprefix("./"), member.size, data)
                else:
                    raise unpacked.refusal(member.name, "is a link or a device: only files and folders are taken")

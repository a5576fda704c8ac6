"""Uploaded pictures: a ZIP whose folders are classes, or with a labels.csv. Nothing is unpacked to the disk.

What cannot be used is left out and named; the archive as a whole is refused where it is no album. Bounded while it is read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from marketplace.tasks import pictures
from marketplace.training.recipes.datasets.reading import Unreadable, csv_sheet
from portal.kit import archives

MOST_PICTURES = 10_000
MOST_CLASSES = 100
MOST_BYTES = 8 * 1024**2  # of a picture's file
MOST_UNPACKED = 256 * 1024**2  # of all files
MOST_NAME = 60  # characters of a class
LABELS = "labels.csv"
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"})
FILES, CLASSES = ("file", "filename", "image", "path", "name"), ("label", "class", "category", "target")
OTHER, BROKEN, LARGE, NAMELESS = "other", "broken", "large", "nameless"  # why a file is left out


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is seen, its file in the archive, and its class."""

    name: str
    label: str
    form: str  # PNG, JPEG, …
    size: tuple[int, int]  # as its file has it
    image: Image.Image  # upright, in RGB, at most pictures.IMAGE_MAX_SIDE wide and high


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is no picture of a class, and why: a name above."""

    name: str
    why: str


def read(path: Path) -> Iterator[Picture | LeftOut]:
    """One after another, in the order of their names. Raises Unreadable."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = sorted(
                (
                    member
                    for member in archives.members(archive)
                    if not member.is_dir() and not _hidden(member.filename)
                ),
                key=lambda member: member.filename,
            )
            if len(files) > MOST_PICTURES:
                raise Unreadable("files", most=MOST_PICTURES)
            if sum(member.file_size for member in files) > MOST_UNPACKED:
                raise Unreadable("unpacked", most=MOST_UNPACKED // 1024**2)
            labels = _labels(archive, files)
            for member in files:
                if PurePosixPath(member.filename).name != LABELS:
                    yield _picture(archive, member, labels)
    except archives.Odd as error:
        raise Unreadable("member", name=error.name[:120], why=error.why) from error
    except archives.BROKEN as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("no_zip") from error


def _hidden(name: str) -> bool:
    """What systems leave in archives."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1].startswith(".") or parts[-1] in ("Thumbs.db", "desktop.ini")


def _labels(archive: zipfile.ZipFile, files: list[zipfile.ZipInfo]) -> Mapping[str, str] | None:
    """Classes by path; None where folders are classes."""
    given = [member for member in files if PurePosixPath(member.filename).name == LABELS]
    if not given:
        return None
    data = archives.read(archive, given[0], MOST_BYTES)
    if data is None:
        raise Unreadable("unpacked", most=MOST_BYTES // 1024**2)
    sheet = csv_sheet(data)
    names = [name.lower() for name in sheet.names]
    file = next((names.index(name) for name in FILES if name in names), 0)
    label = next((names.index(name) for name in CLASSES if name in names), 1 - min(file, 1))
    folder = PurePosixPath(given[0].filename).parent
    return {
        str(folder / name): one for name, one in zip(sheet.columns[file], sheet.columns[label], strict=True) if name
    }


def _picture(archive: zipfile.ZipFile, member: zipfile.ZipInfo, labels: Mapping[str, str] | None) -> Picture | LeftOut:
    name = member.filename
    place = PurePosixPath(name)
    if place.suffix.lower() not in ENDINGS:
        return LeftOut(name, OTHER)
    label = place.parent.name if labels is None else labels.get(name, "")
    if not label or len(label) > MOST_NAME or not label.isprintable():
        return LeftOut(name, NAMELESS)
    try:
        data = archives.read(archive, member, MOST_BYTES)
        image = pictures.opened(data) if data is not None else None
        if image is None or image.width * image.height > pictures.IMAGE_MAX_PIXELS:
            return LeftOut(name, LARGE)
        size, form = image.size, image.format or ""
        return Picture(name, label, form, size, pictures.upright(image))
    except Exception as error:  # Pillow's plugins raise anything for broken files
        bomb = isinstance(error.__cause__, Image.DecompressionBombError)
        return LeftOut(name, LARGE if bomb else BROKEN)

"""What strangers made, copied to where it will be served: files alone, with modes of ours. Nothing of it is read here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from marketplace.errors import SourceInvalid
from marketplace.publishing import hub
from marketplace.publishing.inspection import archives, folders

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


def copied(source: str, building: Path) -> Path:
    """The model's folder in `building`, which is made. `source`: a folder, a .keras file, an archive of either, hf://….

    Raises SourceInvalid for what is none, and for links, devices, names that are not plain, and more than the bounds.
    """
    path = hub.downloaded(source) if source.startswith(hub.SCHEME) else Path(source)
    if path.is_dir():
        if not source.startswith(hub.SCHEME):  # our own copies of the hub are links to each other
            folders.files(path)
        shutil.copytree(path, building, copy_function=shutil.copyfile)
    elif path.is_file() and path.suffix == ".keras":
        building.mkdir(parents=True)
        shutil.copyfile(path, building / "model.keras")
    elif path.is_file() and path.name.endswith(ARCHIVES):
        archives.unpack(path, building)
    else:
        raise SourceInvalid(
            f"{source} is no folder, no .keras file and no archive ({', '.join(ARCHIVES)}).", param="source"
        )
    for place, _, names in os.walk(building):
        Path(place).chmod(0o755)  # noqa: S103 – a user of its own is to read it
        for name in names:
            Path(place, name).chmod(0o644)
    return _inner(building)


def _inner(folder: Path) -> Path:
    """The folder itself, or the one that is all that it holds: archives are often made of that."""
    held = list(folder.iterdir())
    return held[0] if len(held) == 1 and held[0].is_dir() else folder

"""Reads an upload in a process of its own, bounded: `python -m marketplace.training.examiner PATH FORM`.

Prints one JSON object: {"sha256", "profile"} or {"sha256", "refused": {"reason", "values"}}. What a hostile file does to a parser, it
does here.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
from pathlib import Path

from marketplace.training.recipes.datasets.forms import examined
from marketplace.training.recipes.datasets.reading import Unreadable

MOST_MEMORY = 3 * 1024**3  # bytes of address space
MOST_SECONDS = 120  # of the processor


def main(place: str, form: str) -> None:
    """Examines the file and prints what was found."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    path = Path(place)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        found: dict[str, object] = {"sha256": digest, "profile": examined(path, form)}
    except Unreadable as error:
        found = {"sha256": digest, "refused": {"reason": error.reason, "values": error.values}}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

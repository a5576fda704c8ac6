"""What is in an album: classes and their balance, sizes, what is there twice, samples, and what was left out and why."""

from __future__ import annotations

import base64
import hashlib
import io
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from marketplace.training.recipes.datasets.album import MOST_CLASSES, LeftOut, read
from marketplace.training.recipes.datasets.profile import CATEGORY, bins
from marketplace.training.recipes.datasets.reading import LEAST_ROWS, Unreadable

TARGET = "class"  # the name of what an album tells of its pictures
SHOWN_CLASSES, SHOWN_OF_EACH, SHOWN_NAMES = 12, 4, 10
THUMBNAIL = 48  # pixels of the longer side


def fingerprint(image: Image.Image) -> str:
    """The same for pictures of the same pixels."""
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()


def profile(path: Path) -> dict[str, Any]:
    """The profile as JSON; with a column for the class, as a table's has it. Raises Unreadable."""
    labels, forms, left_out = Counter[str](), Counter[str](), defaultdict[str, list[str]](list)
    widths: list[float] = []
    heights: list[float] = []
    first: dict[str, tuple[str, str]] = {}
    twice, across = 0, []
    samples = defaultdict[str, list[str]](list)
    for found in read(path):
        if isinstance(found, LeftOut):
            left_out[found.why].append(found.name)
            continue
        labels[found.label] += 1
        forms[found.form] += 1
        widths.append(found.size[0])
        heights.append(found.size[1])
        if before := first.get(mark := fingerprint(found.image)):
            twice += 1
            if before[1] != found.label:
                across.append([*before, found.name, found.label])
        first.setdefault(mark, (found.name, found.label))
        if len(samples[found.label]) < SHOWN_OF_EACH and (len(samples) <= SHOWN_CLASSES):
            samples[found.label].append(thumbnail(found.image))
        if len(labels) > MOST_CLASSES:
            raise Unreadable("classes", most=MOST_CLASSES)
    rows = labels.total()
    if rows < LEAST_ROWS:
        why = max(left_out, key=lambda one: len(left_out[one]), default="")
        raise Unreadable(
            "few_pictures",
            found=rows,
            least=LEAST_ROWS,
            left_out=sum(map(len, left_out.values())),
            name=(left_out.get(why) or ["–"])[0][:120],
        )
    common = labels.most_common()
    return {
        "kind": "images",
        "rows": rows,
        "duplicates": twice,
        "across": across[:SHOWN_NAMES],
        "across_count": len(across),
        "target": TARGET,
        "columns": [
            {
                "name": TARGET,
                "kind": CATEGORY,
                "missing": len(left_out["nameless"]),
                "distinct": len(labels),
                "task": "image-classification" if len(labels) > 1 else "",
                "roles": [CATEGORY],
                "bars": [],
                "classes": [[label, count] for label, count in common],
            }
        ],
        "sizes": [_spread("width", widths), _spread("height", heights)],
        "forms": forms.most_common(),
        "left_out": [
            {"why": why, "count": len(names), "names": [name[-120:] for name in names[:SHOWN_NAMES]]}
            for why, names in left_out.items()
            if names
        ],
        "samples": [[label, samples[label]] for label, _ in common if samples.get(label)][:SHOWN_CLASSES],
    }


def _spread(name: str, values: list[float]) -> dict[str, Any]:
    return {
        "name": name,
        "least": min(values),
        "middle": median(values),
        "most": max(values),
        "bars": bins(values),
    }


def thumbnail(image: Image.Image) -> str:
    """A small one as a data URL."""
    small = image.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()

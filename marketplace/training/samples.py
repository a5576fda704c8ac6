"""Data to begin with, which ships with scikit-learn and Django: tables of real measurements, handwriting, sentences."""

from __future__ import annotations

import csv
import importlib.util
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

# As the files' descriptions name the columns (UCI Machine Learning Repository).
_WINE = (
    "alcohol", "malic acid", "ash", "alcalinity of ash", "magnesium", "total phenols", "flavanoids",
    "nonflavanoid phenols", "proanthocyanins", "color intensity", "hue", "OD280/OD315", "proline", "cultivar",
)  # fmt: skip
_IRIS = ("sepal length", "sepal width", "petal length", "petal width", "species")
_TABLES = {"wine": ("wine_data.csv", _WINE), "iris": ("iris.csv", _IRIS)}
# The names of their files.
SAMPLES = {"wine": "wine.csv", "iris": "iris.csv", "languages": "languages.csv", "digits": "digits.zip"}
TONGUES, LINES = (
    ("English", "French", "German", "Italian", "Polish", "Spanish"),
    160,
)  # of the sample of texts, and how many of each
SIDE, INNER = 32, 24  # of a digit's picture, and of what was scanned in it


def sample(name: str) -> bytes:
    """The sample's file. Raises KeyError."""
    return {"digits": _digits, "languages": _languages}.get(name, lambda: _table(name))()


def _languages() -> bytes:
    """Sentences of Django's translations, each with its language."""
    from marketplace.training.recipes.datasets.catalogs import languages

    found = languages(1)
    rows = [(text, found.labels[label]) for text, label in zip(found.train.x, found.train.y, strict=True)]
    kept = [(text, said) for tongue in TONGUES for text, said in [row for row in rows if row[1] == tongue][:LINES]]
    return _written([("sentence", "language"), *kept])


def _written(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _digits() -> bytes:
    """1,797 handwritten digits, dark on light as on paper, a folder for each."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    found, file = load_digits(), io.BytesIO()
    margin = (SIDE - INNER) // 2
    with zipfile.ZipFile(file, "w") as archive:
        for number, (scan, digit) in enumerate(zip(found.images, found.target, strict=True)):
            ink = Image.fromarray((255 - scan * 255 / 16).astype(np.uint8))
            paper = Image.new("L", (SIDE, SIDE), 255)
            paper.paste(ink.resize((INNER, INNER), Image.Resampling.BICUBIC), (margin, margin))
            picture = io.BytesIO()
            paper.save(picture, "PNG")
            # A fixed time, so that the archive is the same each time.
            archive.writestr(zipfile.ZipInfo(f"digits/{digit}/{number:04}.png"), picture.getvalue())
    return file.getvalue()


def _table(name: str) -> bytes:
    """As a CSV file, its classes by name."""
    file, names = _TABLES[name]
    found = importlib.util.find_spec("sklearn")
    assert found is not None
    assert found.origin is not None
    # The first line counts rows and columns, then names the classes, which the last column numbers.
    head, *rows = csv.reader((Path(found.origin).parent / "datasets" / "data" / file).read_text().splitlines())
    classes = [label.replace("class_", "cultivar ") for label in head[2:]]
    return _written([names, *([*row[:-1], classes[int(row[-1])]] for row in rows)])

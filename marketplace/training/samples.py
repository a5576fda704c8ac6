"""Data to begin with, which ships with scikit-learn: tables of real measurements, and handwriting."""

from __future__ import annotations

import csv
import importlib.util
import io
import zipfile
from pathlib import Path

# As the files' descriptions name the columns (UCI Machine Learning Repository).
_WINE = (
    "alcohol", "malic acid", "ash", "alcalinity of ash", "magnesium", "total phenols", "flavanoids",
    "nonflavanoid phenols", "proanthocyanins", "color intensity", "hue", "OD280/OD315", "proline", "cultivar",
)  # fmt: skip
_IRIS = ("sepal length", "sepal width", "petal length", "petal width", "species")
_TABLES = {"wine": ("wine_data.csv", _WINE), "iris": ("iris.csv", _IRIS)}
SAMPLES = {"wine": "wine.csv", "iris": "iris.csv", "digits": "digits.zip"}  # the names of their files
SIDE, INNER = 32, 24  # of a digit's picture, and of what was scanned in it


def sample(name: str) -> bytes:
    """The sample's file. Raises KeyError."""
    return _digits() if name == "digits" else _table(name)


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
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *([*row[:-1], classes[int(row[-1])]] for row in rows)])
    return text.getvalue().encode()

"""Tables to begin with, which ship with scikit-learn: real measurements, with their columns' names."""

from __future__ import annotations

import csv
import importlib.util
import io
from pathlib import Path

# As the files' descriptions name the columns (UCI Machine Learning Repository).
_WINE = (
    "alcohol", "malic acid", "ash", "alcalinity of ash", "magnesium", "total phenols", "flavanoids",
    "nonflavanoid phenols", "proanthocyanins", "color intensity", "hue", "OD280/OD315", "proline", "cultivar",
)  # fmt: skip
_IRIS = ("sepal length", "sepal width", "petal length", "petal width", "species")
SAMPLES = {"wine": ("wine_data.csv", _WINE), "iris": ("iris.csv", _IRIS)}


def sample(name: str) -> bytes:
    """The sample as a CSV file, its classes by name. Raises KeyError."""
    file, names = SAMPLES[name]
    found = importlib.util.find_spec("sklearn")
    assert found is not None
    assert found.origin is not None
    # The first line counts rows and columns, then names the classes, which the last column numbers.
    head, *rows = csv.reader((Path(found.origin).parent / "datasets" / "data" / file).read_text().splitlines())
    classes = [label.replace("class_", "cultivar ") for label in head[2:]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *([*row[:-1], classes[int(row[-1])]] for row in rows)])
    return text.getvalue().encode()

"""Data that ships with our dependencies, split before anything is fitted."""

from __future__ import annotations

import random
import re
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Part:
    """Inputs of one split, row by row, and for each a label's number, or the number to estimate."""

    x: NDArray[np.float32]
    y: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A data set in three parts, 60 : 20 : 20; stratified by its labels, where it has any."""

    train: Part
    validation: Part
    test: Part
    labels: tuple[str, ...]
    features: tuple[str, ...] = ()


def digits(seed: int) -> Table:
    """1,797 handwritten digits of 43 people, 8×8 pixels from 0 to 1, light ink on dark (UCI, by scikit-learn)."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x = (data.images / 16).astype(np.float32)[..., None]
    return _split(x, data.target, tuple(str(d) for d in range(10)), (), seed)


def breast_cancer(seed: int) -> Table:
    """569 fine-needle aspirates, 30 measurements each, benign or malignant (UCI, by scikit-learn)."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return _split(data.data.astype(np.float32), data.target, tuple(data.target_names), tuple(data.feature_names), seed)


def diabetes(seed: int) -> Table:
    """442 diabetes patients, ten measurements each, and how far the disease was a year later, 25 to 346 (scikit-learn)."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    names = {"bmi": "body mass index", "bp": "blood pressure", **{f"s{n}": name for n, name in enumerate(_SERUM, 1)}}
    features = tuple(names.get(name, name) for name in data.feature_names)
    return _split(data.data.astype(np.float32), data.target.astype(np.float32), (), features, seed)


# In the order of s1 to s6, as the data set's description names them.
_SERUM = (
    "total cholesterol", "low-density lipoproteins", "high-density lipoproteins", "total cholesterol / HDL",
    "log of triglycerides", "blood sugar",
)  # fmt: skip


def _split(
    x: NDArray[np.float32], y: NDArray[Any], labels: tuple[str, ...], features: tuple[str, ...], seed: int
) -> Table:
    from sklearn.model_selection import train_test_split

    def cut(x: NDArray[np.float32], y: NDArray[Any], share: float) -> list[NDArray[Any]]:
        found: list[NDArray[Any]] = train_test_split(
            x, y, test_size=share, random_state=seed, stratify=y if labels else None
        )
        return found

    x_fit, x_test, y_fit, y_test = cut(x, y, 0.2)
    x_train, x_val, y_train, y_val = cut(x_fit, y_fit, 0.25)
    return Table(Part(x_train, y_train), Part(x_val, y_val), Part(x_test, y_test), labels, features)


@dataclass(frozen=True, slots=True)
class Prose:
    """English text in three parts; no page is in two of them."""

    train: str
    validation: str
    test: str


def pydoc_topics(seed: int) -> Prose:
    """The English of Python's own help pages (pydoc_data), some 240,000 characters; 80 : 10 : 10, by page."""
    from pydoc_data.topics import topics

    # Long pages repeat short ones: a paragraph stays only in the shortest page that has it, or the parts would share text.
    pages, seen = [], set[str]()
    for page in sorted(map(_prose, topics.values()), key=lambda page: (sum(map(len, page)), page)):
        fresh = [paragraph for paragraph in dict.fromkeys(page) if paragraph not in seen]
        seen.update(fresh)
        if fresh:
            pages.append("\n".join(fresh))
    random.Random(seed).shuffle(pages)  # noqa: S311 – a split, not a secret
    ends, total = list(accumulate(map(len, pages))), sum(map(len, pages))
    first, second = bisect(ends, total * 0.8), bisect(ends, total * 0.9)
    return Prose("\n".join(pages[:first]), "\n".join(pages[first:second]), "\n".join(pages[second:]))


# Apostrophes and dashes as keyboards have them; quotes and asterisks only mark code and emphasis.
TYPOGRAPHY = str.maketrans("’‘—–", "''--", '"*“”')


def _prose(page: str) -> list[str]:
    """Paragraphs of prose as single lines: titles, tables, grammars and indented code are left out."""
    kept = []
    for paragraph in re.split(r"\n\s*\n", page):
        lines = paragraph.splitlines()
        if not lines or lines[0].startswith("      ") or re.search(r"::=|\*\*\*|===|---|>>>|\+-", paragraph):
            continue
        text = re.sub(r"\s+", " ", paragraph).strip().translate(TYPOGRAPHY)
        text = text.encode("ascii", "ignore").decode()
        if len(text) > 60 and text[-1] in ".:" and sum(c.isalpha() or c == " " for c in text) > 0.85 * len(text):
            kept.append(text)
    return kept

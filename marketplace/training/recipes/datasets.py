"""Data that ships with our dependencies, split before anything is fitted."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Part:
    """Inputs and labels of one split, row by row."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Table:
    """A labelled data set in three parts, 60 : 20 : 20, stratified."""

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


def _split(
    x: NDArray[np.float32], y: NDArray[np.int64], labels: tuple[str, ...], features: tuple[str, ...], seed: int
) -> Table:
    from sklearn.model_selection import train_test_split

    x_fit, x_test, y_fit, y_test = train_test_split(x, y, test_size=0.2, random_state=seed, stratify=y)
    x_train, x_val, y_train, y_val = train_test_split(x_fit, y_fit, test_size=0.25, random_state=seed, stratify=y_fit)
    return Table(Part(x_train, y_train), Part(x_val, y_val), Part(x_test, y_test), labels, features)


@dataclass(frozen=True, slots=True)
class Prose:
    """English text in three parts; no page is in two of them."""

    train: str
    validation: str
    test: str


def pydoc_topics(seed: int) -> Prose:
    """The English of Python's own help pages (pydoc_data), about 400,000 characters, split by page 80 : 10 : 10."""
    from pydoc_data.topics import topics

    pages = [_plain(topics[name]) for name in sorted(topics)]
    # Several topics show the same page.
    pages = sorted({page for page in pages if len(page) > 200})
    random.Random(seed).shuffle(pages)  # noqa: S311 – a split, not a secret
    cut, second = int(len(pages) * 0.8), int(len(pages) * 0.9)
    return Prose("\n".join(pages[:cut]), "\n".join(pages[cut:second]), "\n".join(pages[second:]))


def _plain(page: str) -> str:
    """Paragraphs of prose as single lines: titles, tables, grammars and indented code are left out."""
    kept = []
    for paragraph in re.split(r"\n\s*\n", page):
        lines = paragraph.splitlines()
        if not lines or lines[0].startswith("      ") or re.search(r"::=|\*\*\*|===|---|>>>|\+-", paragraph):
            continue
        text = re.sub(r"\s+", " ", paragraph).strip().replace('"', "").replace("*", "")
        text = text.encode("ascii", "ignore").decode()
        if len(text) > 60 and text[-1] in ".:" and sum(c.isalpha() or c == " " for c in text) > 0.85 * len(text):
            kept.append(text)
    return "\n".join(kept)

"""Which models the words of a search mean, and how well they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from marketplace.catalog.shelf import Shelf, key
from marketplace.catalog.spelling import asked
from marketplace.catalog.vocabulary import Vocabulary

Mask = NDArray[np.bool_]
Scores = NDArray[np.float64]
MOST_WORDS = 12
WHOLE, BEGINS, INSIDE, NEAR, STEM = 1.0, 0.7, 0.4, 0.3, 0.25  # how much a word counts that was found so
NAMED = 50.0  # for a model whose name, title or `publisher/name` was typed
MOST_NEAR = 3  # words that one mistyped word may mean
# What a sentence needs and a model does not have; they count where nothing else is asked.
FILLERS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "for",
        "from",
        "how",
        "i",
        "in",
        "is",
        "it",
        "me",
        "my",
        "of",
        "on",
        "or",
        "that",
        "the",
        "to",
        "which",
        "with",
        "want",
        "need",
        "model",
        "models",
    ]
)


@dataclass(frozen=True, slots=True)
class Matched:
    """Rows that fit and their scores; (typed, meant) of words that were mistyped; whether some words had to be left out."""

    rows: Mask
    scores: Scores
    meant: tuple[tuple[str, str], ...] = ()
    relaxed: bool = False
    meant_only: bool = False  # no model says what was searched: these mean something near it


def match(held: Shelf, text: str, seen: Mask) -> Matched:
    """Those of the rows that are `seen` in which every word occurs; without one, those with the most of the words.

    What others keep private is as if it were not there: no word is found or corrected by it.
    """
    words = asked(text)[:MOST_WORDS]
    words = [word for word in words if word not in FILLERS] or words
    total = np.zeros(len(held.ids))
    if not words:
        return Matched(seen, total)
    having = np.zeros(len(held.ids), dtype=np.int64)
    meant = []
    for word in words:
        scores, read_as = _scores(held, word, seen)
        having += scores > 0
        total += scores
        if read_as:
            meant.append((word, read_as))
    whole = key(text)
    for column in ("name_hash", "slug_hash", "title_hash"):
        total[held[column] == whole] += NAMED
    most = int(having[seen].max(initial=0))
    return Matched(seen & (having == most) if most else np.zeros_like(seen), total, tuple(meant), 0 < most < len(words))


def _scores(held: Shelf, word: str, seen: Mask) -> tuple[Scores, str]:
    """Of each row that is seen, and the word that was meant where this one is mistyped."""
    scores = np.zeros(len(held.ids))
    for of in (held.vocabulary, held.of_tasks):
        begins, inside = of.like(word)
        whole = of.get(word)
        for ids, share in ((inside, INSIDE), (begins, BEGINS), ([] if whole is None else [whole], WHOLE)):
            _raise(held, scores, seen, of, ids, share)
    if scores.any():
        return scores, ""
    nearest = sorted(
        ((near, of) for of in (held.vocabulary, held.of_tasks) for near in of.near(word)), key=itemgetter(0)
    )
    meant: list[str] = []
    distance = 0
    for near, of in nearest:
        if meant and (near.distance > distance or len(meant) == MOST_NEAR):
            break
        if _raise(held, scores, seen, of, [near.id], NEAR):
            distance = near.distance
            meant.append(of.words[near.id])
    if meant:
        return scores, meant[0]
    for cut in range(1, min(4, len(word) - 3)):  # translating: translation
        for of in (held.vocabulary, held.of_tasks):
            _raise(held, scores, seen, of, of.like(word[:-cut])[0], STEM)
        if scores.any():
            break
    return scores, ""


def _raise(held: Shelf, scores: Scores, seen: Mask, of: Vocabulary, ids: Sequence[int], share: float) -> bool:
    """To `share` times the weight of the place where one of the words stands. Whether a row that is seen has any."""
    rows, weights = of.rows(ids)
    if of is held.of_tasks:
        by_task = np.zeros(len(held.tasks.values))
        np.maximum.at(by_task, rows, weights * share)
        found = by_task[held["task"]]
        found[~seen] = 0
        np.maximum(scores, found, out=scores)
        return bool(found.any())
    kept = seen[rows]
    np.maximum.at(scores, rows[kept], weights[kept] * share)
    return bool(kept.any())

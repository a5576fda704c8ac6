"""All words of the catalog, each with the models that it occurs in: found whole, by their beginning, a part, or nearly."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketplace.catalog.spelling import distances, most_mistakes, signature

LONGEST = 40  # letters of a word; what is longer is cut
MOST_LIKE = 4_000  # words that begin with or have a part, of which models are looked up
MOST_NEAR = 3_000  # words whose distance is computed
SUMMARY, ABOUT, NAME = 1, 2, 3  # where a word stands, as a weight


class Near(NamedTuple):
    """How near a word is to a mistyped one: in their order, the likeliest comes first."""

    distance: int
    other_start: bool  # people seldom mistype the first letter
    rarity: int
    id: int


class Vocabulary:
    """Word → rows, each with the weight of the place where it stands. Words are only added."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._ids: dict[str, int] = {}
        self._rows: list[array[int]] = []  # of each word: row * 4 + weight
        self._text = bytearray(b"\n")  # all words, each before a line's end
        self._starts = array("q")
        self._signatures = array("Q")
        self._lengths = array("B")
        self._arrays: dict[str, NDArray[Any]] = {}

    def add(self, row: int, places: Iterable[tuple[int, Iterable[str]]]) -> None:
        """Files a row under its words. `places`: (weight, words), the lowest weight first: the highest of a word counts."""
        weights: dict[str, int] = {}
        for weight, words in places:
            weights.update(dict.fromkeys(words, weight))
        for word, weight in weights.items():
            self._rows[self._id(word[:LONGEST])].append(row * 4 + weight)

    def get(self, word: str) -> int | None:
        """The word's id, if any model has it."""
        return self._ids.get(word[:LONGEST])

    def like(self, part: str) -> tuple[list[int], list[int]]:
        """Ids of words that begin with the part, and of those that have it elsewhere; the first MOST_LIKE of both."""
        wanted, text = part.encode(), self._text
        # Of one or two letters nearly all words have a part: only beginnings are looked for.
        sought = wanted if len(part) > 2 else b"\n" + wanted
        at, starts = text.find(sought), self._column("starts", self._starts)
        hits: list[int] = []
        while at >= 0 and len(hits) < MOST_LIKE:
            hits.append(at if len(part) > 2 else at + 1)
            at = text.find(b"\n", at + 1)
            at = text.find(sought, at) if at >= 0 else -1
        found = np.searchsorted(starts, hits, side="right") - 1
        first = starts[found] == hits
        begins, inside = found[first].tolist(), found[~first].tolist()
        return begins, inside

    def near(self, word: str) -> list[Near]:
        """Words that may be meant by a mistyped one, in no order."""
        most = most_mistakes(word)
        if not most or not self.words:
            return []
        lengths = self._column("lengths", self._lengths).astype(np.int64)
        differing = np.bitwise_count(self._column("signatures", self._signatures) ^ np.uint64(signature(word)))
        few = np.flatnonzero((differing <= 2 * most) & (np.abs(lengths - len(word)) <= most))[:MOST_NEAR]
        others = [self.words[at] for at in few]
        return [
            Near(int(distance), other[0] != word[0], -len(self._rows[at]), int(at))
            for distance, other, at in zip(distances(word, others), others, few, strict=True)
            if distance <= most
        ]

    def rows(self, ids: Iterable[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(rows, weights) of these words together; a row may come several times."""
        packed = np.frombuffer(b"".join(self._rows[at].tobytes() for at in ids), dtype=np.int64)
        return packed >> 2, packed & 3

    def _column(self, name: str, values: array[Any]) -> NDArray[Any]:
        """The values as an array, until a word is added."""
        kept = self._arrays.get(name)
        if kept is None or len(kept) != len(values):
            kept = self._arrays[name] = np.array(values)
        return kept

    def _id(self, word: str) -> int:
        found = self._ids.get(word)
        if found is None:
            found = self._ids[word] = len(self.words)
            self.words.append(word)
            self._rows.append(array("q"))
            self._starts.append(len(self._text))
            self._text += word.encode() + b"\n"
            self._signatures.append(signature(word))
            self._lengths.append(len(word))
        return found

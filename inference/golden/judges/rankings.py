"""Judges of models that put things in order: search, embeddings, recommendations."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from inference.golden.intervals import Statistic
from inference.golden.judges.judge import ExampleInvalid, Json, Judge, Measure, mean, text
from marketplace.tasks.embeddings import QUALITY
from marketplace.tasks.recommendation import MRR, NDCG
from marketplace.tasks.task import Metric

KEPT_AS = np.float32
OfRank = Callable[[float], float]  # the place of what is right, from 1, or infinite → how good that is
Of = Callable[[Sequence[Json], Sequence[Json]], Statistic]


def among(most: int) -> OfRank:
    """Whether the right one is among the first so many."""
    return lambda rank: float(rank <= most)


def reciprocal(rank: float) -> float:
    """1 over the place of the right one; nothing where it is not there."""
    return 1 / rank


def gain(rank: float) -> float:
    """NDCG@10 with one that is right: 1 / log2(place + 1) among the first ten (Järvelin and Kekäläinen 2002)."""
    return 1 / math.log2(rank + 1) if rank <= 10 else 0.0


def document(given: Json) -> Json:
    """The document that should come first: its text, or its place from 0. Raises ExampleInvalid."""
    if isinstance(given, int) and not isinstance(given, bool):
        if given < 0:
            raise ExampleInvalid(_("The place of the right document is counted from 0."))
        return given
    return text(given)


def _place(truth: Json, said: Json) -> float:
    """Of what was expected among what was said, from 1; infinite where it is not there."""
    wanted = truth if isinstance(truth, int) else truth.casefold()
    for place, item in enumerate(said, 1):
        if wanted in ([item["index"]] if isinstance(truth, int) else [name.casefold() for name in item["names"]]):
            return float(place)
    return math.inf


def _of_places(measure: OfRank) -> Of:
    return lambda truth, said: mean([measure(_place(one, other)) for one, other in zip(truth, said, strict=True)])


def _documents(output: Json) -> Json:
    return [{"index": item["index"], "names": [item["text"]]} for item in output["items"]]


def _items(output: Json) -> Json:
    return [{"index": None, "names": [item["title"], item["id"]]} for item in output["items"]]


def _unit(rows: Sequence[str]) -> NDArray[np.float32]:
    found = np.stack([np.frombuffer(base64.b64decode(row), KEPT_AS) for row in rows])
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)  # type: ignore[no-any-return]


def ranks(truth: Sequence[str], said: Sequence[Json]) -> NDArray[np.float64]:
    """Where each expected text stands among all expected texts of the set, by cosine with its own input; ties at the back."""
    pool = list(dict.fromkeys(truth))
    own = np.asarray([pool.index(one) for one in truth])
    first = [own.tolist().index(at) for at in range(len(pool))]
    likeness = _unit([one["input"] for one in said]) @ _unit([said[at]["expected"] for at in first]).T
    mine = likeness[np.arange(len(own)), own]
    return (likeness >= mine[:, None]).sum(1).astype(np.float64)  # type: ignore[no-any-return]


def _of_vectors(measure: OfRank) -> Of:
    return lambda truth, said: mean([measure(rank) for rank in ranks(truth, said)] if said else [])


def _vectors(output: Json) -> Json:
    """The two vectors, as base64 of 32-bit floats: JSON would be several times larger."""
    found = [base64.b64encode(np.asarray(row, KEPT_AS).tobytes()).decode() for row in output["embeddings"]]
    return {"input": found[0], "expected": found[1]}


def _like(_truth: str, said: Json) -> float:
    """The cosine of the two vectors, while they are kept; then how far in front the right one was."""
    if "place" in said:
        return reciprocal(said["place"])
    one, other = _unit([said["input"], said["expected"]])
    return float(np.clip(one @ other, 0, 1))


def _best(truth: Json, said: Json) -> float:
    return reciprocal(_place(truth, said))


FOUND_FIRST, FOUND_AMONG_FIVE, RECIPROCAL = QUALITY
SEARCH = Judge(
    ("query", "documents", "top_k"), document, _documents, _best,
    (
        Measure(FOUND_FIRST, _of_places(among(1))), Measure(FOUND_AMONG_FIVE, _of_places(among(5))),
        Measure(RECIPROCAL, _of_places(reciprocal)),
    ),
    lists=("documents", "top_k"),
)  # fmt: skip
EMBEDDING = Judge(
    ("text",), text, _vectors, _like,
    (
        Measure(FOUND_FIRST, _of_vectors(among(1))), Measure(FOUND_AMONG_FIVE, _of_vectors(among(5))),
        Measure(RECIPROCAL, _of_vectors(reciprocal)),
    ),
    wrap=lambda given: {"texts": [given["text"]]} if "text" in given else given,
    ask=lambda given, expected, _spec: {"texts": [given["texts"][0], expected]},
    shorten=lambda truth, said: [{"place": int(rank)} for rank in ranks(truth, said)],
)  # fmt: skip
RECOMMENDATION = Judge(
    ("history", "exclude", "k"), text, _items, _best,
    (
        Measure(Metric("recall_at_10", "Next choice among the first ten", percent=True), _of_places(among(10))),
        Measure(NDCG, _of_places(gain)), Measure(MRR, _of_places(reciprocal)),
    ),
    lists=("history", "exclude", "k"),
)  # fmt: skip
RANKING = Judge(
    ("history", "candidates"), text, _items, _best,
    (
        Measure(NDCG, _of_places(gain)), Measure(MRR, _of_places(reciprocal)),
        Measure(Metric("recall_at_3", "Next choice among the first three", percent=True), _of_places(among(3))),
    ),
    lists=("history", "candidates"),
)  # fmt: skip

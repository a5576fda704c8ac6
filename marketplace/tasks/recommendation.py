"""Tasks on people's tastes: what to show somebody next, and in which order, by what they chose before."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from marketplace.errors import InputInvalid
from marketplace.tasks.task import Arrays, Item, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _

MOST_HISTORY = 200
MOST_CANDIDATES = 500
MOST_ANSWERS, ANSWERS = 100, 10


def _list(spec: ModelSpec, description: str, most: int, least: int = 0) -> dict[str, Any]:
    """The JSON Schema of a list of items. It names them, and leaves it to `_places` to say which one is unknown."""
    item: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 200}
    if spec.items:
        item["examples"] = [item.title for item in spec.items]
    return {"type": "array", "items": item, "minItems": least, "maxItems": most, "description": description}


_HISTORY = "What this person chose so far, the latest last, by id or title. Empty for somebody new."


def _places(names: Sequence[str], spec: ModelSpec, field: str) -> list[int]:
    """Where the items stand among the scores. Raises InputInvalid that names the one that is unknown."""
    known = {word.casefold(): at for at, item in enumerate(spec.items) for word in (item.title, item.id)}
    places = []
    for at, name in enumerate(names):
        place = known.get(name.casefold())
        if place is None:
            near = get_close_matches(name.casefold(), known, 1)
            hint = f"; did you mean {spec.items[known[near[0]]].title}?" if near else "."
            raise InputInvalid(f"{name[:60]!r} is no item of this model{hint}", param=f"/input/{field}/{at}")
        places.append(place)
    return places


def _answers(spec: ModelSpec, places: Sequence[int], scores: Sequence[float]) -> Json:
    found = []
    for place, score in zip(places, scores, strict=True):
        item = spec.items[place] if place < len(spec.items) else Item(str(place), str(place))
        found.append({"id": item.id, "title": item.title, "score": round(float(score), 6)})
    return {"items": found}


class _ByHistory:
    """What both tasks read: a history, which the model takes as ids, filled up with empty texts in front."""

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        text = {"type": "string"}
        one = {
            "type": "object",
            "properties": {"id": text, "title": text, "score": {"type": "number", "minimum": 0, "maximum": 1}},
            "required": ["id", "title", "score"],
            "additionalProperties": False,
        }
        return {
            "type": "object",
            "properties": {"items": {"type": "array", "items": one}},
            "required": ["items"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        for field in ("exclude", "candidates"):
            _places(given.get(field, ()), spec, field)
        ids = [spec.items[place].id.encode() for place in _places(given["history"], spec, "history")]
        tensor = spec.inputs[0]
        width = tensor.shape[1] or max(len(ids), 1)
        kept = ids[-width:]
        return {tensor.name: np.asarray([[b""] * (width - len(kept)) + kept], object)}

    def units(self, given: Json) -> dict[str, int]:
        return {"row": 1}


class Recommendation(_ByHistory):
    """A history → what comes next, the likeliest first; a score is the chance that it does. What was chosen is left out."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "history": _list(spec, _HISTORY, MOST_HISTORY),
                "exclude": _list(spec, "What is not to be recommended, besides the history.", MOST_CANDIDATES),
                "k": {"type": "integer", "minimum": 1, "maximum": MOST_ANSWERS, "default": ANSWERS},
            },
            "required": ["history"],
            "additionalProperties": False,
        }

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        scores = next(iter(outputs.values()))[0]
        left_out = {*_places(given["history"], spec, "history"), *_places(given.get("exclude", ()), spec, "exclude")}
        order = [int(at) for at in np.argsort(-scores, kind="stable") if at not in left_out]
        order = order[: given.get("k", ANSWERS)]
        return _answers(spec, order, scores[order])


class Ranking(_ByHistory):
    """A history and candidates → the candidates in order; a score is the chance to be chosen among them."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "history": _list(spec, _HISTORY, MOST_HISTORY),
                "candidates": _list(spec, "What is to be put in order, by id or title.", MOST_CANDIDATES, 1),
            },
            "required": ["history", "candidates"],
            "additionalProperties": False,
        }

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        places = list(dict.fromkeys(_places(given["candidates"], spec, "candidates")))
        scores = next(iter(outputs.values()))[0][places].astype(np.float64) + 1e-12
        order = np.argsort(-scores, kind="stable")
        return _answers(spec, [places[at] for at in order], (scores / scores.sum())[order])


NDCG, MRR = Metric("ndcg_at_10", _("NDCG of the first ten")), Metric("mrr", _("Mean reciprocal rank"))

RECOMMENDATION = Task(
    name="recommendation",
    title=_("Recommendation"),
    summary=_("Says what somebody may choose next, by what they chose before."),
    modality="recommendation",
    codec=Recommendation(),
    widget="items",
    metrics=(Metric("recall_at_10", _("Next choice among the first ten"), percent=True), NDCG, MRR),
    examples=({"history": []},),
    also=(
        "recommender",
        "collaborative filtering",
        "next best offer",
        "cross-selling",
        "similar products",
        "people you may know",
        "personalization",
        "猜你喜欢",
        "协同过滤",
    ),
)

RANKING = Task(
    name="ranking",
    title=_("Personalised ranking"),
    summary=_("Puts candidates in the order that suits somebody, by what they chose before."),
    modality="recommendation",
    codec=Ranking(),
    widget="items",
    metrics=(NDCG, MRR, Metric("recall_at_3", _("Next choice among the first three"), percent=True)),
    also=("reranking", "learning to rank", "personalization", "feed", "news feed", "排序"),
)

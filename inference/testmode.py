"""What test keys get: answers that are made up from the task's schema, always the same for the same input, and free.

`x-test-fault` makes them fail as the real ones may: 429, slow, mid_stream, disconnect.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import orjson

from inference.engines.engine import Piece, Result, Work
from inference.errors import FaultUnknown, RateLimited, UpstreamFailed
from marketplace.catalog.resolve import Resolved

REPLICA = "test"
FAULTS = ("429", "slow", "mid_stream", "disconnect")
SLOW_S = 3.0
_WORDS = [
    "this",
    "is",
    "a",
    "test",
    "answer",
    "that",
    "costs",
    "nothing",
    "and",
    "is",
    "the",
    "same",
    "whenever",
    "you",
    "ask",
    "the",
    "same",
]


class Disconnected(BaseException):
    """The connection breaks, as the caller asked. Not an Exception: nothing may make an answer of it."""


def infer(resolved: Resolved, work: Work, fault: str) -> Result:
    """The whole answer. Raises RateLimited or UpstreamFailed where that was asked for, FaultUnknown."""
    _begin(fault)
    if fault == "mid_stream":
        raise UpstreamFailed("The upstream failed in the middle of its answer (as asked).")
    if work.raw:
        rows = len(next(iter(work.given.values())))
        outputs = {
            tensor.name: np.zeros(
                [rows, *(1 if size is None else size for size in tensor.shape[1:])], _dtype(tensor.dtype)
            )
            for tensor in resolved.spec.outputs
        }
        return Result(outputs, {"request": 1, resolved.task.row_unit: rows})
    if resolved.task.streams:
        words = _text(work.given)
        units = _units(work.given, len(words))
        return Result({"text": "".join(words), "finish_reason": "stop"}, units)
    schema = resolved.task.codec.output_schema(resolved.spec)
    return Result(made_up(schema), {"request": 1, **resolved.task.codec.units(work.given)})


def stream(resolved: Resolved, work: Work, fault: str) -> Iterator[Piece]:
    """The answer in pieces; see `infer`."""
    _begin(fault)
    return _pieces(work, fault)


def _pieces(work: Work, fault: str) -> Iterator[Piece]:
    words = _text(work.given)
    for count, word in enumerate(words, 1):
        if count == 3 and fault == "mid_stream":
            raise UpstreamFailed("The upstream failed in the middle of its answer (as asked).")
        if count == 3 and fault == "disconnect":
            raise Disconnected
        last = count == len(words)
        yield Piece(word, _units(work.given, count), finish="stop" if last else None)


def made_up(schema: Mapping[str, Any]) -> Any:
    """The simplest value that fits a JSON Schema as our tasks write them."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("oneOf", "anyOf"):
        if choice in schema:
            return made_up(schema[choice][0])
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            properties = schema.get("properties", {})
            return {name: made_up(properties.get(name, {})) for name in schema.get("required", properties)}
        case "array":
            return [made_up(schema.get("items", {}))] * max(1, schema.get("minItems", 1))
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return "test"


def _begin(fault: str) -> None:
    if fault and fault not in FAULTS:
        raise FaultUnknown(f"x-test-fault is one of {', '.join(FAULTS)}.", param="x-test-fault")
    if fault == "429":
        raise RateLimited("Too many requests (as asked).", retry_after_s=1)
    if fault == "slow":
        time.sleep(SLOW_S)


def _text(given: Mapping[str, Any]) -> list[str]:
    """Words that depend on the input alone, no more than were asked for."""
    start = zlib.crc32(orjson.dumps(given.get("messages") or given.get("prompt"))) % len(_WORDS)
    words = [*_WORDS[start:], *_WORDS[:start]]
    most = given.get("max_completion_tokens") or given.get("max_tokens") or len(words)
    return [word if at == 0 else f" {word}" for at, word in enumerate(words[:most])]


def _units(given: Mapping[str, Any], written: int) -> dict[str, int]:
    said = orjson.dumps(given.get("messages") or given.get("prompt") or "")
    return {"request": 1, "input_token": -(-len(said) // 4), "output_token": written}


def _dtype(name: str) -> Any:
    return object if name == "str" else name

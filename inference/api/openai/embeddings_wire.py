"""OpenAI's embeddings: bytes ↔ Call and Outcome. Vectors go as base64 of little-endian float32 where that is asked."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from billing import money
from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from inference.counting import tokens_read
from portal.accounts.keys.lookup import Caller

FORMATS = ("float", "base64")
_NAMES = {"texts": "input"}


def call_of(body: Any, caller: Caller, request_id: str) -> tuple[Call, str]:
    """The call, and how the vectors are wanted. Fields that nobody here knows go along. Raises FieldInvalid."""
    given = dict(fields(body))
    model, said, shape = (given.pop(name, None) for name in ("model", "input", "encoding_format"))
    if not isinstance(model, str) or not model:
        raise FieldInvalid("Add the field model: an embedding model of GET /v1/models.", param="/model")
    # One text may come as its tokens, too.
    alone = isinstance(said, str) or (isinstance(said, list) and said and all(isinstance(one, int) for one in said))
    if not alone and (not isinstance(said, list) or not said):
        raise FieldInvalid("Add input: a text, a list of texts, or lists of tokens for upstreams.", param="/input")
    shape = shape or "float"
    if shape not in FORMATS:
        raise FieldInvalid("encoding_format is float or base64.", param="/encoding_format")
    asked = {**given, "texts": [said] if alone else said}
    return Call(caller, model, "openai", asked, request_id, pointer="", names=_NAMES), shape


def response(outcome: Outcome, shape: str) -> dict[str, Any]:
    """A CreateEmbeddingResponse."""
    vectors: Sequence[Any] = outcome.output["embeddings"]
    read = tokens_read(outcome.units)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": at, "embedding": _written(vector, shape)}
            for at, vector in enumerate(vectors)
        ],
        "model": outcome.resolved.slug,
        "usage": {"prompt_tokens": read, "total_tokens": read, "cost": money.decimal(outcome.cost_nanos)},
    }


def _written(vector: Any, shape: str) -> Any:
    if shape == "base64":
        return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()
    return vector

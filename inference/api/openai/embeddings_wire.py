"""OpenAI's embeddings: bytes ↔ Call and Outcome. Vectors go as base64 of little-endian float32 where that is asked."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from billing import money
from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from portal.accounts.keys.lookup import Caller

FORMATS = ("float", "base64")


def call_of(body: Any, caller: Caller, request_id: str) -> tuple[Call, str]:
    """The call, and how the vectors are wanted. Raises FieldInvalid."""
    given = fields(body)
    model = given.get("model")
    if not isinstance(model, str) or not model:
        raise FieldInvalid("Add the field model: an embedding model of GET /v1/models.", param="/model")
    texts = given.get("input")
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise FieldInvalid("input is a text or a list of texts; lists of tokens are not taken here.", param="/input")
    shape = given.get("encoding_format") or "float"
    if shape not in FORMATS:
        raise FieldInvalid("encoding_format is float or base64.", param="/encoding_format")
    asked: dict[str, Any] = {"texts": texts}
    if given.get("dimensions") is not None:
        asked["dimensions"] = given["dimensions"]
    return Call(caller, model, "openai", asked, request_id, pointer=""), shape


def response(outcome: Outcome, shape: str) -> dict[str, Any]:
    """A CreateEmbeddingResponse."""
    vectors: Sequence[Any] = outcome.output["embeddings"]
    read = outcome.units.get("input_token", 0)
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

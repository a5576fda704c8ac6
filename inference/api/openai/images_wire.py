"""OpenAI's image generation: bytes ↔ Call and Outcome. Images come as b64_json: nothing is kept here for a URL."""

from __future__ import annotations

import time
from typing import Any

from billing import money
from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from portal.accounts.keys.lookup import Caller


def call_of(body: Any, caller: Caller, request_id: str) -> Call:
    """The call. Fields that nobody here knows go along. Raises FieldInvalid."""
    given = dict(fields(body))
    model = given.pop("model", None)
    if not isinstance(model, str) or not model:
        raise FieldInvalid("Add the field model: an image model of GET /v1/models.", param="/model")
    if given.pop("response_format", None) not in (None, "b64_json"):
        raise FieldInvalid("response_format is b64_json: images are not kept here.", param="/response_format")
    if given.pop("stream", None):
        raise FieldInvalid("Images are not streamed: leave stream out.", param="/stream")
    asked = {name: value for name, value in given.items() if value is not None}
    return Call(caller, model, "openai", asked, request_id, pointer="")


def response(outcome: Outcome) -> dict[str, Any]:
    """An ImagesResponse."""
    return {
        "created": int(time.time()),
        "data": [{"b64_json": image} for image in outcome.output["images"]],
        "usage": {"images": len(outcome.output["images"]), "cost": money.decimal(outcome.cost_nanos)},
    }

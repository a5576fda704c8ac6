"""The body of any call, for those who ask about a call instead of making it: its protocol is told by its fields."""

from __future__ import annotations

from typing import Any

from inference.api.oip import wire as oip
from inference.api.openai import completions, embeddings_wire, images_wire, responses_wire
from inference.api.openai import wire as openai
from inference.api.predictions import wire as predictions
from inference.api.view import FieldInvalid, fields
from inference.call import Call
from marketplace.catalog.resolve import resolve
from portal.accounts.keys.lookup import Caller


def call_of(body: Any, caller: Caller, request_id: str) -> Call:
    """The call that the body would be. Raises FieldInvalid, and what the protocol's own reading raises."""
    given = fields(body)
    model = given.get("model")
    if not isinstance(model, str) or not model:
        raise FieldInvalid("Add the field model: the one that the call would go to.", param="/model")
    if "messages" in given:
        return openai.call_of(given, caller, request_id)[0]
    rest = {name: value for name, value in given.items() if name != "model"}
    if isinstance(rest.get("input"), dict):
        return predictions.call_of(rest, model, caller, request_id)
    if "inputs" in rest:
        return oip.call_of(rest, model, caller, request_id)
    task = resolve(model, caller.workspace_id).task.name
    if task == "embeddings":
        return embeddings_wire.call_of(given, caller, request_id)[0]
    if task == "image-generation":
        return images_wire.call_of(given, caller, request_id)
    if "prompt" in rest:
        return completions.call_of(given, caller, request_id)[0]
    if "input" in rest:
        return responses_wire.call_of(given, caller, request_id)[0]
    raise FieldInvalid("Send the body of the call, with messages, prompt, input or inputs.", param="")

"""Mercato's own protocol, for every task: {"input": …} in, a prediction out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from billing import money
from inference.api import streaming
from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from inference.predict import Stream
from portal.accounts.keys.lookup import Caller
from portal.accounts.wire import problems


def call_of(body: Any, model: str, caller: Caller, request_id: str) -> Call:
    """The call. Raises FieldInvalid."""
    given = fields(body)
    unknown = [name for name in given if name != "input"]
    if unknown:
        raise FieldInvalid(
            f"Remove the unknown field {unknown[0][:60]!r}; known is input.", param=f"/{unknown[0][:60]}"
        )
    if not isinstance(given.get("input"), dict):
        raise FieldInvalid('Send {"input": {…}} with the fields that the model\'s API tab shows.', param="/input")
    return Call(caller, model, "predictions", given["input"], request_id)


def prediction(outcome: Outcome, request_id: str, output: Any) -> dict[str, Any]:
    """The prediction, finished."""
    now = datetime.now(UTC)
    return {
        "id": request_id.replace("req_", "pred_"),
        "object": "prediction",
        "model": outcome.resolved.slug,
        "version": outcome.resolved.number,
        "status": "succeeded",
        "output": output,
        "error": None,
        "metrics": {"predict_time_ms": outcome.latency_ms},
        "usage": {"event": outcome.event_id, **outcome.units},
        "cost": money.decimal(outcome.cost_nanos),
        "created_at": (now - timedelta(milliseconds=outcome.latency_ms)).isoformat(timespec="milliseconds"),
        "completed_at": now.isoformat(timespec="milliseconds"),
    }


def events(stream: Stream, request_id: str) -> Iterator[bytes]:
    """`output` events with text as it comes, then `completed` with the prediction, or `error`."""
    text = ""
    try:
        for piece in stream:
            text += piece.text
            if piece.text:
                yield streaming.event("output", {"text": piece.text})
            elif not piece.finish and not piece.native:
                yield streaming.KEEP_ALIVE
        assert stream.outcome is not None, "a stream that ended was settled"
        yield streaming.event("completed", prediction(stream.outcome, request_id, {"text": text}))
    except Exception as error:
        yield streaming.event("error", problems.body(problems.as_problem(error)))

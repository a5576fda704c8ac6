"""Mercato's own protocol, for every task: {"input": …} in, a prediction out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from billing import money
from inference.api import streaming
from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from inference.later import predictions
from inference.later.models import Prediction, State
from inference.predict import Stream
from portal.accounts.keys.lookup import Caller
from portal.accounts.wire import problems


def call_of(body: Any, model: str, caller: Caller, request_id: str) -> Call:
    """The call. Raises FieldInvalid."""
    given = fields(body)
    unknown = [name for name in given if name not in ("input", "webhook", "webhook_events_filter")]
    if unknown:
        raise FieldInvalid(
            f"Remove the unknown field {unknown[0][:60]!r}; known are input, webhook and webhook_events_filter.",
            param=f"/{unknown[0][:60]}",
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


def whole(outcome: Outcome, request_id: str) -> bytes:
    """The same for a task that does not stream: one `output` with all of it, then `completed`."""
    completed = prediction(outcome, request_id, outcome.output)
    return streaming.event("output", {"output": outcome.output}) + streaming.event("completed", completed)


def shown(prediction: Prediction) -> dict[str, Any]:
    """A prediction that a worker makes, as far as it has come."""
    base = f"{settings.SITE_URL}/v1/predictions/{prediction.pk}"
    found: dict[str, Any] = {
        "id": prediction.pk,
        "object": "prediction",
        "model": prediction.model,
        "version": prediction.version,
        "status": prediction.state,
        "input": prediction.input,
        "output": prediction.output,
        "error": prediction.error,
        "metrics": {"predict_time_ms": prediction.latency_ms, "attempts": prediction.attempts},
        "usage": prediction.units,
        "cost": money.decimal(prediction.cost_nanos),
        "created_at": _time(prediction.created_at),
        "started_at": _time(prediction.started_at),
        "completed_at": _time(prediction.completed_at),
        "deadline": _time(prediction.deadline),
        "urls": {"get": base, "cancel": f"{base}/cancel", "stream": f"{base}/stream"},
    }
    if prediction.state == State.STARTING:
        before, eta_s = predictions.position(prediction)
        found["queue"] = {"position": before, "eta_s": round(eta_s, 1)}
    return found


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None

"""/v1/predictions: those that a worker makes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import close_old_connections
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from inference import limits
from inference.api import streaming
from inference.api.predictions import wire
from inference.api.view import FieldInvalid, PredictionView
from inference.later import predictions
from inference.later.models import ENDED, Happening, Prediction
from portal.accounts.wire.answers import json_answer
from portal.kit import outbound

PAGE = 100
MOST_WAIT_S = 60
POLL_S = 0.1
MOST_STREAM_S = 900
_AFTER = re.compile(r"^(\d{1,6})(s|m|h)$")
_UNITS = {"s": 1, "m": 60, "h": 3600}


def preferred(header: str) -> float | None:
    """Seconds to wait by a Prefer header (RFC 7240): 0 for respond-async, None where it says neither."""
    for part in header.lower().split(","):
        name, _, value = part.strip().partition("=")
        if name == "respond-async":
            return 0.0
        if name == "wait":
            if value and (not value.isdecimal() or len(value) > 9):
                raise FieldInvalid("Prefer: wait=N takes seconds.", param="Prefer")
            return float(min(int(value or MOST_WAIT_S), MOST_WAIT_S))
    return None


def cancel_after(header: str) -> timedelta | None:
    """Of a Cancel-After header such as 15s, 1m. Raises FieldInvalid."""
    if not header:
        return None
    found = _AFTER.match(header.strip().lower())
    if found is None or int(found[1]) == 0:
        raise FieldInvalid("Cancel-After is like 15s, 1m or 1h.", param="Cancel-After")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def check_webhook(url: Any, events: Any) -> None:
    """Raises FieldInvalid and AddressRefused's words for what cannot be called."""
    if not isinstance(events, list) or any(event not in ("start", "completed") for event in events):
        raise FieldInvalid("webhook_events_filter has start, completed or both.", param="/webhook_events_filter")
    try:
        outbound.check(str(url), settings.OUTBOUND_ALLOWED_HOSTS)
    except outbound.AddressRefused as error:
        raise FieldInvalid(f"This webhook cannot be called: {error}.", param="/webhook") from error


def wait_for(prediction: Prediction, seconds: float) -> HttpResponse:
    """200 with the finished prediction, or 202 with what there is after so long."""
    ends = time.monotonic() + seconds
    if seconds and prediction.state not in ENDED:
        with limits.inside():
            while prediction.state not in ENDED and time.monotonic() < ends:
                time.sleep(POLL_S)
                prediction.refresh_from_db()
    shown = wire.shown(prediction)
    headers = {"Location": shown["urls"]["get"]}
    if "queue" in shown:
        headers["x-queue-position"] = str(shown["queue"]["position"])
    return json_answer(shown, status=200 if prediction.state in ENDED else 202, headers=headers)


class PredictionList(PredictionView):
    """Those that a worker makes or made, the newest first; `created_after`, `created_before` and `cursor` choose."""

    def get(self, request: Request) -> HttpResponse:
        given = request.query_params
        found = Prediction.objects.filter(workspace_id=self.caller.workspace_id).order_by("-created_at", "-pk")
        after, before = _moment(given, "created_after"), _moment(given, "created_before")
        if after:
            found = found.filter(created_at__gt=after)
        if before:
            found = found.filter(created_at__lt=before)
        cursor = given.get("cursor", "")
        if cursor:
            found = found.filter(pk__lt=cursor)  # ids sort by time
        rows = list(found[: PAGE + 1])
        base = f"{settings.SITE_URL}/v1/predictions"
        following = f"{base}?cursor={rows[PAGE - 1].pk}" if len(rows) > PAGE else None
        results = [wire.shown(row) for row in rows[:PAGE]]
        return json_answer({"next": following, "previous": base if cursor else None, "results": results})


class OnePrediction(PredictionView):
    """A prediction as far as it has come."""

    def get(self, request: Request, prediction_id: str) -> HttpResponse:
        return wait_for(predictions.of(self.caller.workspace_id, prediction_id), 0)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if response.status_code == 202:
            response.status_code = 200  # the question was answered
        return super().finalize_response(request, response, *args, **kwargs)


class CancelPrediction(PredictionView):
    """Stops it; what it has used is billed."""

    def post(self, request: Request, prediction_id: str) -> HttpResponse:
        return json_answer(wire.shown(predictions.cancel(predictions.of(self.caller.workspace_id, prediction_id))))


class PredictionEvents(PredictionView):
    """Its events, with ids: a reader who was cut off sends Last-Event-ID and goes on."""

    def get(self, request: Request, prediction_id: str) -> StreamingHttpResponse:
        prediction = predictions.of(self.caller.workspace_id, prediction_id)
        last = request._request.META.get("HTTP_LAST_EVENT_ID", "0")
        if not last.isdecimal() or len(last) > 18:
            raise FieldInvalid("Last-Event-ID is a number that this stream gave.", param="Last-Event-ID")
        parts = _events(prediction, int(last))
        next(parts)  # comes in, or is refused
        return self.events(parts)


def _events(prediction: Prediction, last: int) -> Iterator[bytes]:
    with limits.inside():
        yield b""
        yield from _happenings(prediction, last)


def _happenings(prediction: Prediction, last: int) -> Iterator[bytes]:
    ends = time.monotonic() + MOST_STREAM_S
    quiet_since = time.monotonic()
    try:
        while time.monotonic() < ends:
            for happening in Happening.objects.filter(prediction=prediction, number__gt=last).order_by("number"):
                last, quiet_since = happening.number, time.monotonic()
                yield b"id: %d\n" % last + streaming.event(happening.kind, happening.data)
                if happening.kind == "done":
                    return
            prediction.refresh_from_db()
            if prediction.state in ENDED and not prediction.happenings.filter(number__gt=last).exists():
                return
            if time.monotonic() - quiet_since > 1:
                quiet_since = time.monotonic()
                yield streaming.KEEP_ALIVE
            time.sleep(POLL_S)
    finally:
        close_old_connections()


def _moment(given: Any, name: str) -> datetime | None:
    text = given.get(name, "")
    try:
        found = parse_datetime(text.replace(" ", "+")) if text else None
    except ValueError:
        found = None
    if text and (found is None or found.tzinfo is None):
        raise FieldInvalid(f"{name} is a time with its zone, like 2026-01-31T12:00:00Z.", param=name)
    return found

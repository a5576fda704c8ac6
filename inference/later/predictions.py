"""Predictions that a worker makes: queued, claimed under a lease, run, billed once however often that happens."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Avg, F, Q
from django.utils import timezone

from billing.metering.models import UsageEvent
from inference import predict
from inference.call import Call, Outcome, Wishes
from inference.errors import DeadlinePassed
from inference.later import deliveries
from inference.later.models import ENDED, Happening, Prediction, State
from marketplace.catalog.resolve import resolve
from portal.accounts.keys.lookup import Caller, caller
from portal.accounts.models import Key
from portal.accounts.wire import problems
from portal.kit.errors import Problem

LEASE = timedelta(seconds=30)  # a prediction whose worker was silent this long is taken over
MOST_ATTEMPTS = 3
MOST_HAPPENINGS = 1_000  # kept of one stream
FLUSH_S = 0.2  # text that came within this is one event of the stream


class PredictionMissing(Problem):
    """The workspace has no such prediction, or it is kept no more."""

    status = 404
    code = "prediction_not_found"


def queue(
    who: Caller,
    model: str,
    given: Mapping[str, Any],
    wishes: Wishes,
    cancel_after: timedelta | None,
    webhook: str = "",
    webhook_events: list[str] | None = None,
) -> Prediction:
    """A prediction for the next free worker. Raises what the catalog raises for a model that cannot be called."""
    resolve(model, who.workspace_id)
    now = timezone.now()
    prediction = Prediction.objects.create(
        workspace_id=who.workspace_id,
        key_id=who.key_id,
        model=model,
        input=dict(given),
        most_nanos=wishes.most_nanos,
        webhook=webhook,
        webhook_events=webhook_events or ["completed"],
        deadline=now + cancel_after if cancel_after else None,
        created_at=now,
    )
    _tell(prediction, "start")
    return prediction


def of(workspace_id: str, prediction_id: str) -> Prediction:
    """The workspace's own. Raises PredictionMissing."""
    found = Prediction.objects.filter(workspace_id=workspace_id, pk=prediction_id).first()
    if found is None:
        raise PredictionMissing("There is no such prediction; answered ones are kept for a day.")
    return found


def cancel(prediction: Prediction) -> Prediction:
    """Stops it: at once if it was waiting, else between two tokens. What it used is billed. Twice does no harm."""
    waiting = Prediction.objects.filter(pk=prediction.pk, state=State.STARTING)
    if waiting.update(state=State.CANCELED, completed_at=timezone.now()):
        prediction.refresh_from_db()
        _ended(prediction)
    else:
        Prediction.objects.filter(pk=prediction.pk, state=State.PROCESSING).update(cancel_asked=True)
        prediction.refresh_from_db()
    return prediction


def position(prediction: Prediction) -> tuple[int, float]:
    """How many are before it, and in how many seconds it may begin, by how long the last ones took."""
    before = Prediction.objects.filter(
        Q(state=State.STARTING, created_at__lt=prediction.created_at) | Q(state=State.PROCESSING)
    ).count()
    last = Prediction.objects.filter(state=State.SUCCEEDED).order_by("-created_at")[:20]
    took = Prediction.objects.filter(pk__in=[row.pk for row in last]).aggregate(ms=Avg("latency_ms"))["ms"] or 500
    return before, before * took / 1000 / settings.WORKER_THREADS


def claim(now: datetime) -> Prediction | None:
    """The oldest one to do, now ours until its lease ends; None if there is none."""
    todo = Q(state=State.STARTING) | Q(state=State.PROCESSING, leased_until__lt=now)
    for prediction in Prediction.objects.filter(todo).order_by("created_at", "pk")[:10]:
        if prediction.attempts >= MOST_ATTEMPTS:
            lost = Problem("The worker was lost three times.", code="worker_lost", status=500)
            _end(prediction, State.FAILED, error=problems.body(lost)["error"])
            continue
        won = (
            Prediction.objects.filter(pk=prediction.pk, attempts=prediction.attempts)
            .filter(todo)
            .update(
                state=State.PROCESSING,
                attempts=F("attempts") + 1,
                leased_until=now + max(LEASE, timedelta(seconds=settings.UPSTREAM_TIMEOUT_S + 5)),
                started_at=now,
            )
        )
        if won:
            prediction.refresh_from_db()
            return prediction
    return None


def run(prediction: Prediction) -> None:
    """Makes the prediction and ends it. Billed once: an attempt whose answer was lost has its event."""
    key = Key.objects.filter(pk=prediction.key_id, revoked_at=None).first()
    now = timezone.now()
    if key is None:
        gone = Problem("The key that asked for this is revoked.", code="invalid_api_key", status=401)
        return _end(prediction, State.FAILED, error=problems.body(gone)["error"])
    if prediction.deadline is not None and prediction.deadline <= now:
        return _end(prediction, State.ABORTED)
    wishes = Wishes(
        most_nanos=prediction.most_nanos,
        operation_id=prediction.pk,
        paid=UsageEvent.objects.filter(operation_id=prediction.pk).exclude(status="failed").exists(),
        timeout_s=(prediction.deadline - now).total_seconds() if prediction.deadline else None,
    )
    call = Call(caller(key), prediction.model, "predictions", prediction.input, prediction.pk, wishes=wishes)
    try:
        streams = resolve(prediction.model, prediction.workspace_id).task.streams
        if streams and prediction.deadline is None:
            outcome = _follow(prediction, call)
        else:
            outcome = predict.run(call)
    except DeadlinePassed as problem:
        late = prediction.deadline is not None and prediction.deadline <= timezone.now()
        _end(prediction, State.ABORTED if late else State.FAILED, error=problems.body(problem)["error"])
    except Exception as error:
        _end(prediction, State.FAILED, error=problems.body(problems.as_problem(error))["error"])
    else:
        prediction.refresh_from_db(fields=["cancel_asked"])
        _end(prediction, State.CANCELED if prediction.cancel_asked else State.SUCCEEDED, outcome)


def purge(now: datetime) -> int:
    """Forgets predictions that ended too long ago; how many."""
    old = now - timedelta(seconds=settings.PREDICTION_KEPT_S)
    return Prediction.objects.filter(state__in=ENDED, completed_at__lt=old).delete()[0]


def _follow(prediction: Prediction, call: Call) -> Outcome:
    """The answer, its text told as it comes; ends early where that was asked for."""
    stream = predict.Stream(call)
    Happening.objects.filter(prediction=prediction).delete()  # of an attempt that was lost
    text, unsaid, number = "", "", 0
    finish = None
    said_at = timezone.now()
    pieces = iter(stream)
    for piece in pieces:
        unsaid += piece.text
        finish = piece.finish or finish
        now = timezone.now()
        if not finish and (now - said_at).total_seconds() < FLUSH_S:
            continue
        said_at = now
        if unsaid and number < MOST_HAPPENINGS:
            number += 1
            Happening.objects.create(prediction=prediction, number=number, kind="output", data={"text": unsaid})
        text, unsaid = text + unsaid, ""
        lease = {"leased_until": now + LEASE}
        Prediction.objects.filter(pk=prediction.pk).update(**lease)
        if Prediction.objects.filter(pk=prediction.pk, cancel_asked=True).exists():
            pieces.close()  # type: ignore[attr-defined] # a generator
            break
    assert stream.outcome is not None, "a stream that ended was settled"
    return dataclasses.replace(stream.outcome, output={"text": text + unsaid, "finish_reason": finish or "stop"})


def _end(
    prediction: Prediction, state: State, outcome: Outcome | None = None, error: Mapping[str, Any] | None = None
) -> None:
    change: dict[str, Any] = {"state": state, "completed_at": timezone.now(), "leased_until": None, "error": error}
    if outcome is not None:
        change |= {
            "output": outcome.output,
            "units": dict(outcome.units),
            "latency_ms": outcome.latency_ms,
            "version": outcome.resolved.number,
            "cost_nanos": outcome.cost_nanos or _paid_before(prediction),
        }
    # Whoever lost its lease must not write over what the next one found.
    mine = Prediction.objects.filter(pk=prediction.pk, attempts=prediction.attempts).exclude(state__in=ENDED)
    with transaction.atomic():
        if mine.update(**change):
            prediction.refresh_from_db()
            _ended(prediction)


def _paid_before(prediction: Prediction) -> int:
    event = UsageEvent.objects.filter(operation_id=prediction.pk, cost_nanos__gt=0).first()
    return event.cost_nanos if event else 0


def _ended(prediction: Prediction) -> None:
    number = prediction.happenings.count() + 1
    Happening.objects.create(prediction=prediction, number=number, kind="done", data={"status": prediction.state})
    _tell(prediction, "completed")


def _tell(prediction: Prediction, event: str) -> None:
    """Queues the webhooks: the prediction's own, and the workspace's endpoints."""
    summary = {"id": prediction.pk, "model": prediction.model, "status": prediction.state, "error": prediction.error}
    kind = "prediction.completed" if event == "completed" else "prediction.started"
    if prediction.webhook and event in prediction.webhook_events:
        deliveries.queue_to(prediction.workspace_id, prediction.webhook, kind, summary)
    deliveries.queue(prediction.workspace_id, kind, summary)

"""Predictions that a worker makes: queued, claimed under a lease, run, billed once however often that happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Avg, F, Q
from django.utils import timezone

from billing import money
from billing.metering import operations
from billing.metering.models import UsageEvent
from billing.prices.firm import Quote
from inference import predict
from inference.call import Call, Wishes
from inference.errors import DeadlinePassed
from inference.later import deliveries, happenings
from inference.later.happenings import Telling
from inference.later.models import ENDED, Prediction, State
from inference.later.watch import LEASE, Watch
from marketplace.catalog.resolve import resolve
from portal.accounts.keys.lookup import Caller, caller
from portal.accounts.models import Key
from portal.accounts.wire import problems
from portal.kit.errors import Problem

MOST_ATTEMPTS = 3


class PredictionMissing(Problem):
    """The workspace has no such prediction, or it is kept no more."""

    status = 404
    code = "prediction_not_found"


def queue(
    prediction_id: str,
    who: Caller,
    model: str,
    given: Mapping[str, Any],
    wishes: Wishes,
    cancel_after: timedelta | None,
    webhook: str = "",
    webhook_events: list[str] | None = None,
) -> Prediction:
    """A prediction for the next free worker; twice makes one. Raises what the catalog raises for a model that cannot be
    called.
    """
    resolve(model, who.workspace_id)
    now = timezone.now()
    kept = {"fallbacks": wishes.fallbacks, "quote": wishes.quote and asdict(wishes.quote), "fault": wishes.fault}
    with transaction.atomic():
        prediction, made = Prediction.objects.get_or_create(
            pk=prediction_id,
            workspace_id=who.workspace_id,
            defaults={
                "key_id": who.key_id,
                "model": model,
                "input": dict(given),
                "most_nanos": wishes.most_nanos,
                "wishes": {name: value for name, value in kept.items() if value},
                "webhook": webhook,
                "webhook_events": webhook_events or ["completed"],
                "deadline": now + cancel_after if cancel_after else None,
                "created_at": now,
            },
        )
        if made:
            _tell(prediction, "start")
    return prediction


def of(workspace_id: str, prediction_id: str) -> Prediction:
    """The workspace's own. Raises PredictionMissing."""
    found = Prediction.objects.filter(workspace_id=workspace_id, pk=prediction_id).first()
    if found is None:
        raise PredictionMissing("There is no such prediction; answered ones are kept for a day.")
    return found


def cancel(prediction: Prediction) -> Prediction:
    """Stops it: at once if it was waiting, else its worker does within a second; what it generated until then is billed.

    Twice does no harm.
    """
    with transaction.atomic():
        waiting = Prediction.objects.filter(pk=prediction.pk, state=State.STARTING)
        stopped = waiting.update(state=State.CANCELED, completed_at=timezone.now())
        if stopped:
            prediction.refresh_from_db()
            _ended(prediction)
    if not stopped:
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
    return before, before * took / 1000 / settings.PREDICTION_THREADS


def waiting(now: datetime) -> bool:
    """Whether there is one to do."""
    return Prediction.objects.filter(_todo(now)).exists()


def claim(now: datetime) -> Prediction | None:
    """The oldest one to do, now ours until its lease ends; None if there is none."""
    for prediction in Prediction.objects.filter(_todo(now)).order_by("created_at", "pk")[:10]:
        if prediction.attempts >= MOST_ATTEMPTS:
            lost = Problem("The worker was lost three times.", code="worker_lost", status=500)
            _end(prediction, State.FAILED, error=lost)
            continue
        won = (
            Prediction.objects.filter(pk=prediction.pk, attempts=prediction.attempts)
            .filter(_todo(now))
            .update(
                state=State.PROCESSING,
                attempts=F("attempts") + 1,
                leased_until=now + LEASE,
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
        return _end(prediction, State.FAILED, error=gone)
    if prediction.deadline is not None and prediction.deadline <= now:
        return _end(prediction, State.ABORTED, error=_late())
    with Watch(prediction) as watch:
        told = Telling(prediction)
        try:
            call = _call(prediction, caller(key), watch)
            if resolve(prediction.model, prediction.workspace_id).task.streams:
                _follow(call, told, watch)
            else:
                told.outcome = predict.run(call)
                told.output = told.outcome.output
        except Exception as error:
            told.error = problems.as_problem(error)
    passed = prediction.deadline is not None and prediction.deadline <= timezone.now()
    if told.whole and told.error is None:
        _end(prediction, State.SUCCEEDED, told)
    elif watch.why == "canceled":
        told.error = None
        _end(prediction, State.CANCELED, told)
    elif watch.why == "late" or (isinstance(told.error, DeadlinePassed) and passed):
        _end(prediction, State.ABORTED, error=_late())
    elif watch.why != "lost":
        _end(prediction, State.FAILED, told)


def purge(now: datetime) -> int:
    """Forgets predictions that ended too long ago; how many."""
    old = now - timedelta(seconds=settings.PREDICTION_KEPT_S)
    return Prediction.objects.filter(state__in=ENDED, completed_at__lt=old).delete()[0]


def _todo(now: datetime) -> Q:
    return Q(state=State.STARTING) | Q(state=State.PROCESSING, leased_until__lt=now)


def _call(prediction: Prediction, who: Caller, watch: Watch) -> Call:
    quote = prediction.wishes.get("quote")
    left = (prediction.deadline - timezone.now()).total_seconds() if prediction.deadline else None
    wishes = Wishes(
        most_nanos=prediction.most_nanos,
        fallbacks=tuple(prediction.wishes.get("fallbacks", ())),
        quote=Quote(**quote) if quote else None,
        fault=prediction.wishes.get("fault", ""),
        operation_id=prediction.pk,
        paid=operations.take_over(prediction.pk),
        timeout_s=left,
        stop=watch.stopped,
    )
    return Call(who, prediction.model, "predictions", prediction.input, prediction.pk, wishes=wishes)


def _follow(call: Call, told: Telling, watch: Watch) -> None:
    """The answer, its text told as it comes; ends early where that was asked for."""
    stream = predict.Stream(call)
    pieces = iter(stream)
    try:
        for piece in pieces:
            told.say(piece.text, piece.finish)
            if piece.finish is None and watch.stopped():
                # What was generated until its owner called it off is billed; what came too late, or twice, is not.
                stream.waived = watch.why != "canceled"
                pieces.close()  # type: ignore[attr-defined] # a generator
                break
    finally:
        told.flush()
        told.outcome = stream.outcome


def _end(prediction: Prediction, state: State, told: Telling | None = None, error: Problem | None = None) -> None:
    """Ends it, for good; whoever lost its lease must not write over what the next one found."""
    error = told.error if told is not None else error
    said = problems.body(error)["error"] if error is not None else None
    change: dict[str, Any] = {"state": state, "completed_at": timezone.now(), "leased_until": None, "error": said}
    if told is not None and told.outcome is not None:
        change |= {
            "output": told.output,
            "units": dict(told.outcome.units),
            "latency_ms": told.outcome.latency_ms,
            "version": told.outcome.resolved.number,
            "cost_nanos": told.outcome.cost_nanos or _paid_before(prediction),
        }
    mine = Prediction.objects.filter(pk=prediction.pk, attempts=prediction.attempts).exclude(state__in=ENDED)
    with transaction.atomic():
        if mine.update(**change):
            prediction.refresh_from_db()
            if told is not None and told.outcome is not None and not told.streamed:
                happenings.add(prediction, "output", {"output": prediction.output})
            _ended(prediction)


def _paid_before(prediction: Prediction) -> int:
    event = UsageEvent.objects.of_operations(prediction.pk).filter(cost_nanos__gt=0).first()
    return event.cost_nanos if event else 0


def _ended(prediction: Prediction) -> None:
    done = {
        "status": prediction.state,
        "error": prediction.error,
        "usage": prediction.units,
        "cost": money.decimal(prediction.cost_nanos),
    }
    happenings.add(prediction, "done", done)
    _tell(prediction, "completed")


def _late() -> Problem:
    return DeadlinePassed("This was not done within its Cancel-After: ask again with more time.")


def _tell(prediction: Prediction, event: str) -> None:
    """Queues the webhooks: the prediction's own, and the workspace's endpoints."""
    summary = {"id": prediction.pk, "model": prediction.model, "status": prediction.state, "error": prediction.error}
    kind = "prediction.completed" if event == "completed" else "prediction.started"
    if prediction.webhook and event in prediction.webhook_events:
        deliveries.queue_to(prediction.workspace_id, prediction.webhook, kind, summary)
    deliveries.queue(prediction.workspace_id, kind, summary)

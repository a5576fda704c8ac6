"""The life of a run: queued → running → succeeded or failed. The row is the truth; whoever holds its lease trains it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from marketplace.catalog.models import Model, Version
from marketplace.catalog.versions import publish
from marketplace.tasks.task import ModelSpec
from marketplace.training.models import Run, RunState

MOST_ATTEMPTS = 3


def queue(model: Model, recipe: str, dataset: str, params: Mapping[str, Any]) -> Run:
    """A run that the next free trainer takes."""
    return Run.objects.create(model=model, recipe=recipe, dataset=dataset, params=dict(params))


def claim(now: datetime) -> Run | None:
    """The oldest run to do, now ours until `leased_until`; None if there is none or another run is being trained.

    One run at a time on one database: trainings would only slow each other down. A running run whose lease ran out
    lost its trainer and is taken over.
    """
    with transaction.atomic():
        if Run.objects.select_for_update().filter(state=RunState.RUNNING, leased_until__gte=now).exists():
            return None
        todo = Q(state=RunState.QUEUED) | Q(state=RunState.RUNNING, leased_until__lt=now)
        run = Run.objects.select_for_update().filter(todo).order_by("created_at", "pk").first()
        if run is None:
            return None
        if run.attempts >= MOST_ATTEMPTS:
            _end(run, now, RunState.FAILED, error=run.error or "The trainer was lost three times.")
            return None
        # Conditional on what was read: two claims at once give one winner.
        won = Run.objects.filter(pk=run.pk, attempts=run.attempts).update(
            state=RunState.RUNNING,
            leased_until=now + timedelta(seconds=settings.TRAINING_LEASE_S),
            attempts=F("attempts") + 1,
            started_at=now,
            progress={"phase": "starting"},
            curve=[],
            error="",
        )
    if not won:
        return None
    run.refresh_from_db()
    return run


def heartbeat(run: Run, now: datetime, progress: Mapping[str, Any] | None = None) -> bool:
    """Keeps the lease and shows the progress. False when the run is ours no more: stop training."""
    change: dict[str, Any] = {"leased_until": now + timedelta(seconds=settings.TRAINING_LEASE_S)}
    if progress is not None:
        change["progress"] = dict(progress)
        if progress.get("epoch_ended"):
            run.curve = [*run.curve, {k: progress[k] for k in ("epoch", "loss", "metric")}]
            change["curve"] = run.curve
    return bool(_ours(run).update(**change))


def succeed(run: Run, now: datetime, source: str, outcome: Mapping[str, Any], card: str) -> Version | None:
    """Publishes what was trained, in one transaction with the run's end. None when the run is ours no more."""
    with transaction.atomic():
        if not _ours(run).update(state=RunState.SUCCEEDED, ended_at=now, leased_until=None):
            return None
        version = publish(
            run.model,
            engine="tensorflow",
            source=source,
            spec=ModelSpec.from_json(outcome["spec"]),
            metrics=outcome["metrics"],
            notes=f"Trained by the recipe {run.recipe} on {run.dataset}.",
        )
        Run.objects.filter(pk=run.pk).update(version=version)
        Model.objects.filter(pk=run.model_id).update(card=card)
    return version


def fail(run: Run, now: datetime, message: str, again: bool) -> None:
    """Ends an attempt that went wrong; it is queued again where that may help and attempts are left."""
    if again and run.attempts < MOST_ATTEMPTS:
        _ours(run).update(state=RunState.QUEUED, leased_until=None, error=message[:500])
    elif _ours(run).exists():
        _end(run, now, RunState.FAILED, message)


def _ours(run: Run) -> Any:
    return Run.objects.filter(pk=run.pk, state=RunState.RUNNING, attempts=run.attempts)


def _end(run: Run, now: datetime, state: RunState, error: str) -> None:
    Run.objects.filter(pk=run.pk).update(state=state, ended_at=now, leased_until=None, error=error[:500])

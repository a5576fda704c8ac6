"""The life of a run: queued → running → succeeded, failed or canceled. The row is the truth; whoever holds its lease trains it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from billing.plans.terms import Terms
from marketplace.catalog.models import Model, Version
from marketplace.catalog.versions import publish
from marketplace.tasks.task import ModelSpec
from marketplace.training.models import Dataset, Run, RunState

MOST_ATTEMPTS = 3
MOST_LINES = 200  # of a log


def queue(model: Model, recipe: str, dataset: str, params: Mapping[str, Any]) -> Run:
    """A run that the next free trainer takes."""
    return Run.objects.create(model=model, recipe=recipe, dataset=dataset, params=dict(params))


def queue_table(
    table: Dataset, recipe: str, params: Mapping[str, Any], asked: Mapping[str, Any], budget_s: int, terms: Terms
) -> Run:
    """A workspace's run on its dataset, at the price that holds now. `asked`: target, task, leave_out, folds."""
    return Run.objects.create(
        workspace_id=table.workspace_id,
        table=table,
        recipe=recipe,
        dataset=table.name,
        params=dict(params),
        asked=dict(asked),
        budget_s=budget_s,
        price_id=terms.price_id,
        factor_bp=terms.factor_bp,
    )


def most_s(budget_s: int) -> int:
    """The budget, or the most that a run may have."""
    return min(budget_s, settings.TRAINING_MOST_S)


def ahead_of(run: Run) -> QuerySet[Run]:
    """Runs that are trained before this one: those of searches wait for the others, so that nobody waits for a whole search."""
    earlier = Q(created_at__lt=run.created_at)
    if run.search_id:
        earlier = Q(search=None) | Q(search_id__lt=run.search_id) | (Q(search_id=run.search_id) & earlier)
    else:
        earlier &= Q(search=None)
    return Run.objects.filter(Q(state=RunState.RUNNING) | Q(state=RunState.QUEUED) & earlier).exclude(pk=run.pk)


def claim(now: datetime) -> Run | None:
    """The oldest run to do, those of searches last, now ours until `leased_until`; None if there is none or another run is being trained.

    One run at a time on one database: trainings would only slow each other down. A running run whose lease ran out
    lost its trainer and is taken over.
    """
    with transaction.atomic():
        if Run.objects.select_for_update().filter(state=RunState.RUNNING, leased_until__gte=now).exists():
            return None
        todo = Q(state=RunState.QUEUED) | Q(state=RunState.RUNNING, leased_until__lt=now)
        run = (
            Run.objects.select_for_update()
            .filter(todo)
            .order_by(F("search_id").asc(nulls_first=True), "created_at", "pk")
            .first()
        )
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
            # An attempt that goes on, or begins anew, draws over what the one before it drew from there on.
            before = [point for point in run.curve if point["epoch"] < progress["epoch"]]
            run.curve = [*before, {k: progress[k] for k in ("epoch", "loss", "metric")}]
            change["curve"] = run.curve
        if run.workspace_id and (progress.get("epoch_ended") or progress["phase"] != "training"):
            line = [now.isoformat(timespec="seconds"), *(progress.get(k) for k in ("phase", "epoch", "loss", "metric"))]
            run.log = change["log"] = [*run.log, line][-MOST_LINES:]
        if progress.get("used_s"):
            change["used_ms"] = round(progress["used_s"] * 1000)
    return bool(_ours(run).update(**change))


def finish(run: Run, now: datetime, outcome: Mapping[str, Any], used_ms: int) -> bool:
    """Ends a workspace's run well: its model waits to be published. False when the run is ours no more."""
    return bool(
        _ours(run).update(
            state=RunState.SUCCEEDED, ended_at=now, leased_until=None, outcome=dict(outcome), used_ms=used_ms
        )
    )


def cancel(run: Run, now: datetime) -> None:
    """Ends a run that waits, at once; one that is being trained ends within seconds. Twice does no harm."""
    waiting = Run.objects.filter(pk=run.pk, state__in=(RunState.VALIDATING, RunState.QUEUED))
    if not waiting.update(state=RunState.CANCELED, ended_at=now, cancel_asked=True):
        Run.objects.filter(pk=run.pk, state=RunState.RUNNING).update(cancel_asked=True)


def canceled(run: Run, now: datetime) -> bool:
    """Ends the run where that was asked for; whether it was. What it used until then is billed."""
    asked = _ours(run).filter(cancel_asked=True)
    return bool(asked.update(state=RunState.CANCELED, ended_at=now, leased_until=None))


def succeed(run: Run, now: datetime, source: str, outcome: Mapping[str, Any], card: str) -> Version | None:
    """Publishes what was trained, in one transaction with the run's end. None when the run is ours no more."""
    assert run.model is not None
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

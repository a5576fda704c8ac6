"""What runs leave on disk: where their models lie, how long those that nobody published stay, and how they go."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from marketplace.training.models import TO_DO, Run, RunState

_TESTED = ("metrics", "baseline", "evaluation")  # of an outcome: what the test split said


def place_of(run: Run) -> Path:
    """Where the model of a workspace's run lies under settings.MODELS_DIR."""
    return Path(".trained", run.pk)


def checkpoints_of(run: Run) -> Path:
    """Where it is kept how far it has come; gone once it has ended."""
    return settings.MODELS_DIR / ".building" / f"{run.pk}-checkpoints"


def drop(run: Run, **change: Any) -> bool:
    """Removes the model of a run that was not published; whether there was one. Twice does no harm.

    The row says so first: from then on nobody publishes it. What a process that dies leaves, `sweep` removes.
    """
    mine = Run.objects.filter(pk=run.pk, version=None, purged_at=None)
    if not mine.update(purged_at=timezone.now(), **change):
        return False
    shutil.rmtree(settings.MODELS_DIR / place_of(run), ignore_errors=True)
    return True


def drop_beaten(run: Run) -> None:
    """Removes the model of a run that another of its search beat, and what the test split said of it: nobody chose by that."""
    rest = {name: value for name, value in (run.outcome or {}).items() if name not in _TESTED}
    drop(run, outcome=rest)


def sweep(now: datetime) -> int:
    """Removes models that nobody published within settings.TRAINED_KEPT_DAYS, and folders without a run; how many runs' it were."""
    old = now - timedelta(days=settings.TRAINED_KEPT_DAYS or 36_500)
    left = Run.objects.filter(state=RunState.SUCCEEDED, version=None, purged_at=None, ended_at__lt=old)
    dropped = sum(drop(run) for run in left.exclude(workspace=None).only("pk"))
    for folder in _folders(settings.MODELS_DIR / ".trained"):
        needed = Q(version__isnull=False) | Q(purged_at=None, state__in=(*TO_DO, RunState.SUCCEEDED))
        if not Run.objects.filter(needed, pk=folder.name).exists():
            shutil.rmtree(folder, ignore_errors=True)
    for folder in _folders(settings.MODELS_DIR / ".building"):
        run_id = folder.name.rpartition("-")[0]
        if run_id.startswith("run_") and not Run.objects.filter(pk=run_id, state__in=TO_DO).exists():
            shutil.rmtree(folder, ignore_errors=True)
    return dropped


def _folders(within: Path) -> list[Path]:
    return [folder for folder in within.iterdir() if folder.is_dir()] if within.is_dir() else []

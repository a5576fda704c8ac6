"""`manage.py train [NAME]`: trains a starter model here and now, or takes part in the queue until it is trained."""

from __future__ import annotations

import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone

from marketplace.catalog.models import Model
from marketplace.catalog.state import state_of
from marketplace.training import runs, seeds, trainer
from marketplace.training.models import Run, RunState
from marketplace.training.starters.registry import STARTERS

LOOK_EVERY_S = 0.5
OVER = (RunState.SUCCEEDED, RunState.FAILED)


class Command(BaseCommand):
    help = "Train a starter model; without a name, list them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", choices=[starter.name for starter in STARTERS])
        parser.add_argument("--publisher", default="mercato", help="whose starters they are")

    def handle(self, *args: Any, name: str | None, publisher: str, **options: Any) -> None:
        models = {model.name: model for model in Model.objects.filter(publisher__slug=publisher)}
        if name is None:
            for starter in STARTERS:
                state = _state(models[starter.name]) if starter.name in models else "run `manage.py seed` first"
                self.stdout.write(f"{starter.name:16} {starter.task:24} {state}")
            return
        if name not in models:
            raise CommandError(f"{publisher} has no starters yet: run `manage.py seed` first.", returncode=2)
        run = seeds.train_starter(models[name])
        threading.Thread(target=_train, args=(run.pk,), daemon=True).start()
        self._follow(run)
        if run.state == RunState.FAILED:
            raise CommandError(run.error)
        self.stdout.write(f"{models[name].slug} is live: version {run.version.number if run.version else '–'}.")

    def _follow(self, run: Run) -> None:
        """Says how far it is until it is over."""
        said = ""
        while run.state not in OVER:
            time.sleep(LOOK_EVERY_S)
            run.refresh_from_db()
            now = run.progress
            line = f"{run.get_state_display()}: {now.get('phase', '')}"
            if now.get("epochs"):
                line += f", epoch {now['epoch']} of {now['epochs']}"
            if line != said:
                self.stdout.write(line)
                said = line


def _state(model: Model) -> str:
    latest = model.runs.order_by("-created_at").first()
    return str(state_of(model.live_version_id is not None, latest.state if latest else None).label)


def _train(run_id: str) -> None:
    """Trains what is queued, the oldest first, until this run is over; another process may take it instead."""
    while Run.objects.exclude(state__in=OVER).filter(pk=run_id).exists():
        mine = runs.claim(timezone.now())
        if mine is not None:
            trainer.train(mine)
        else:
            time.sleep(LOOK_EVERY_S)
    connections.close_all()

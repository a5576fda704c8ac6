"""Trains one claimed run in a process of its own, and brings what it says to the run's row."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.utils import timezone

from marketplace.training import runs
from marketplace.training.models import Run
from marketplace.training.starters.registry import STARTERS
from marketplace.training.starters.starter import card

WRITE_EVERY_S = 0.5
BEAT_EVERY_S = 5.0


def train(run: Run) -> None:
    """Trains, publishes, or marks the run failed. Gives up silently when another trainer took the run over."""
    model = run.model
    building = settings.MODELS_DIR / ".building" / f"{run.pk}-{run.attempts}"
    shutil.rmtree(building, ignore_errors=True)
    building.parent.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "marketplace.training.child", "--recipe", run.recipe, "--dataset", run.dataset,
        "--params", json.dumps(run.params), "--out", str(building),
    ]  # fmt: skip
    try:
        outcome = _follow(run, command)
        if outcome is None:
            return
        target = Path(model.publisher.slug, model.name, run.pk)
        _move(building, settings.MODELS_DIR / target)
        starter = next((s for s in STARTERS if s.name == model.name), None)
        told = card(starter, outcome) if starter else model.card
        runs.succeed(run, timezone.now(), str(target), outcome, told)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _follow(run: Run, command: list[str]) -> dict[str, Any] | None:
    """The outcome that the process printed; None when it failed or the run is ours no more."""
    # The pipe to its standard input closes when we die, and the process with it.
    process = subprocess.Popen(
        command, cwd=settings.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, start_new_session=True, preexec_fn=lambda: os.nice(10),
    )  # fmt: skip
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    written = 0.0
    try:
        while True:
            try:
                line = lines.get(timeout=BEAT_EVERY_S)
            except queue.Empty:
                if not runs.heartbeat(run, timezone.now()):
                    return None
                continue
            if line is None:
                runs.fail(run, timezone.now(), "The training process ended without a result.", again=True)
                return None
            said = json.loads(line)
            if "outcome" in said:
                return dict(said["outcome"])
            if "error" in said:
                again = said["error"]["code"] != "bad_parameters"
                runs.fail(run, timezone.now(), said["error"]["message"], again=again)
                return None
            progress = said["progress"]
            now = time.monotonic()
            if progress["epoch_ended"] or progress["phase"] != "training" or now - written >= WRITE_EVERY_S:
                written = now
                if not runs.heartbeat(run, timezone.now(), progress):
                    return None
    finally:
        process.kill()
        process.wait()


def _read(pipe: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in pipe:
        lines.put(line)
    lines.put(None)


def _move(building: Path, target: Path) -> None:
    """Puts the finished folder in its place, on disk before anything refers to it."""
    for path in sorted(building.rglob("*")):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    os.rename(building, target)

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

from billing.errors import NoBudget
from marketplace.training import charges, datasets, finetuning, releasing, runs, searching
from marketplace.training.keeping import checkpoints_of, place_of
from marketplace.training.models import Run
from marketplace.training.starters.registry import STARTERS
from marketplace.training.starters.starter import card

WRITE_EVERY_S = 0.5
BEAT_EVERY_S = 2.0
OVERTIME_S = 180.0  # a process that is silent so long after its budget is ended


def train(run: Run) -> None:
    """Trains, and publishes a starter; or marks the run failed. Gives up silently when another trainer took it over."""
    building = settings.MODELS_DIR / ".building" / f"{run.pk}-{run.attempts}"
    shutil.rmtree(building, ignore_errors=True)
    building.parent.mkdir(parents=True, exist_ok=True)
    try:
        if run.workspace_id is None:
            _train_starter(run, building)
        else:
            _train_table(run, building)
        if run.search is not None:
            searching.tend(run.search)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _train_starter(run: Run, building: Path) -> None:
    model = run.model
    assert model is not None
    said = _follow(run, _command(run, building, "--dataset", run.dataset))
    if said is None:
        return
    target = Path(model.publisher.slug, model.name, run.pk)
    _move(building, settings.MODELS_DIR / target)
    starter = next((s for s in STARTERS if s.name == model.name), None)
    told = card(starter, said["outcome"]) if starter else model.card
    runs.succeed(run, timezone.now(), str(target), said["outcome"], told)


def _train_table(run: Run, building: Path) -> None:
    """The budget is held while it is trained; what was used is billed when the run has ended. See charges.py."""
    if run.table is None:
        runs.fail(run, timezone.now(), "The dataset was deleted.", again=False)
        return
    try:
        searching.allot(run)
        held = charges.hold(run)
    except NoBudget as error:
        runs.fail(run, timezone.now(), error.message, again=False)
        return
    checkpoints = checkpoints_of(run)
    work = {
        "path": str(datasets.path_of(run.table)),
        "form": run.table.form,
        "checkpoints": str(checkpoints),
        "before": _tell_of_before(run, checkpoints),
        **run.asked,
    }
    try:
        said = _follow(run, _command(run, building, "--table", json.dumps(work), "--budget", str(run.budget_s)))
        if said is not None:
            _move(building, settings.MODELS_DIR / place_of(run))
            if runs.finish(run, timezone.now(), said["outcome"], round(said["used_s"] * 1000)) and run.wanted:
                finetuning.publish(run)
    finally:
        charges.charge(run, held, timezone.now())
    run.refresh_from_db()
    if run.over:
        shutil.rmtree(checkpoints, ignore_errors=True)


def _tell_of_before(run: Run, folder: Path) -> str:
    """A file about the version to compare with, and where its model lies; empty where there is none."""
    before = releasing.before(run)
    if before is None:
        return ""
    told = before | {"source": str(settings.MODELS_DIR / before["source"])}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "before.json"
    path.write_text(json.dumps(told))
    return str(path)


def _command(run: Run, building: Path, *what: str) -> list[str]:
    return [
        sys.executable, "-m", "marketplace.training.child", "--recipe", run.recipe, *what, "--params",
        json.dumps(run.params), "--out", str(building),
    ]  # fmt: skip


def _follow(run: Run, command: list[str]) -> dict[str, Any] | None:
    """The last line that the process printed, with its outcome; None when it failed or the run is ours no more."""
    # The pipe to its standard input closes when we die, and the process with it.
    process = subprocess.Popen(
        command, cwd=settings.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, start_new_session=True, preexec_fn=lambda: os.nice(10),
    )  # fmt: skip
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    written, began = 0.0, time.monotonic()
    try:
        while True:
            try:
                line = lines.get(timeout=BEAT_EVERY_S)
            except queue.Empty:
                if runs.canceled(run, timezone.now()) or not runs.heartbeat(run, timezone.now()):
                    return None
                if run.budget_s and time.monotonic() - began > run.budget_s + OVERTIME_S:
                    runs.fail(run, timezone.now(), "The training process did not end.", again=False)
                    return None
                continue
            if line is None:
                runs.fail(run, timezone.now(), "The training process ended without a result.", again=True)
                return None
            said = json.loads(line)
            if "outcome" in said:
                return dict(said)
            if "error" in said:
                again = said["error"]["code"] != "bad_parameters"
                runs.fail(run, timezone.now(), said["error"]["message"], again=again)
                return None
            progress = said["progress"]
            now = time.monotonic()
            if progress["epoch_ended"] or progress["phase"] != "training" or now - written >= WRITE_EVERY_S:
                written = now
                if not runs.heartbeat(run, timezone.now(), progress) or runs.canceled(run, timezone.now()):
                    return None
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
        if process.stdin is not None:
            process.stdin.close()


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

"""The rehearsal of what a publisher sent: unpacked, inspected, loaded, asked and measured, each step an evidence.

Whatever a model does, it does behind the runner's walls; what comes of it is an evidence that failed, with the reason.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from inference.engines.engine import Result
from inference.engines.runner import parent
from inference.rehearsal import inputs, regression
from inference.rehearsal.stage import Stage
from marketplace.catalog import semver
from marketplace.catalog.models import Model, Version
from marketplace.errors import InputInvalid, ModelNotReady, SourceInvalid
from marketplace.publishing import review, submitting, suggesting
from marketplace.publishing.evidence import Found
from marketplace.publishing.models import Status, Submission
from marketplace.publishing.strangers import copied
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec, Task
from portal.kit.errors import Problem

LARGE_BYTES = 512 << 20  # of files
SLOW_MS = 2_000.0  # within which 95 % of the answers should come
MOST_TRIED = 5  # examples, besides those with known answers
MOST_CHANGES = 5  # of the schemas, that are told


class _Failed(Exception):
    """A check failed, and those after it make no sense."""


@dataclass
class _Rehearsal:
    submission: Submission
    task: Task
    before: Version | None  # what its callers get now

    def says(
        self, check: str, status: Status, reason: str, values: dict[str, Any] | None = None, figure: str = ""
    ) -> None:
        review.record(self.submission, Found(check, status, reason, values or {}, figure))

    def fails(self, check: str, reason: str, values: dict[str, Any] | None = None) -> _Failed:
        self.says(check, Status.FAILED, reason, values)
        return _Failed()


def rehearse(submission: Submission) -> None:
    """Makes the evidence of a claimed submission, and ends it by that. Gives up silently where it is ours no more."""
    model = (
        Model.objects.filter(publisher=submission.workspace, name=submission.name)
        .select_related("live_version")
        .first()
    )
    work = _Rehearsal(submission, registry.get(submission.task), model.live_version if model else None)
    place = f".submitted/{submission.pk}-{submission.attempts}"
    learnt: dict[str, Any] = {}
    try:
        with review.held(submission):
            review.begin_anew(submission)
            with _built(submission) as building, _ends_at_failure():
                folder = _unpacked(work, building)
                spec = _described(work, folder)
                review.rehearsing(submission)
                learnt = _tried(work, folder, spec)
                target = settings.MODELS_DIR / place
                target.parent.mkdir(parents=True, exist_ok=True)
                os.rename(folder, target)
                learnt["place"] = place
            review.end(submission, **learnt)
    except review.Lost:
        shutil.rmtree(settings.MODELS_DIR / place, ignore_errors=True)


@contextmanager
def _ends_at_failure() -> Iterator[None]:
    try:
        yield
    except _Failed:
        pass


@contextmanager
def _built(submission: Submission) -> Iterator[Path]:
    """A place to build in, on the models' disk."""
    building = settings.MODELS_DIR / ".building" / f"{submission.pk}-{submission.attempts}"
    building.parent.mkdir(parents=True, exist_ok=True)
    for left in building.parent.glob(f"{submission.pk}-*"):  # by workers that were lost
        shutil.rmtree(left, ignore_errors=True)
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _unpacked(work: _Rehearsal, building: Path) -> Path:
    try:
        folder = copied(str(submitting.path_of(work.submission)), building)
    except SourceInvalid as problem:
        raise work.fails("archive", "refused", {"message": problem.message}) from None
    return folder


def _described(work: _Rehearsal, folder: Path) -> ModelSpec:
    """What it takes and gives, with the labels that came beside it."""
    try:
        kind, spec = parent.examine(folder, work.task)
    except Problem as problem:
        inspected = problem.details.get("inspected")
        if inspected is False:
            raise work.fails("inspection", "refused", {"message": problem.message}) from None
        if inspected:
            work.says("inspection", Status.PASSED, "harmless")
        raise work.fails("loads", "refused", {"message": problem.message}) from None
    files = [file for file in folder.rglob("*") if file.is_file()]
    work.says(
        "archive", Status.PASSED, "whole", {"kind": kind}, f"{len(files)} {'file' if len(files) == 1 else 'files'}"
    )
    work.says("inspection", Status.PASSED, "harmless")
    size = sum(file.stat().st_size for file in files)
    large = size > LARGE_BYTES
    work.says("size", Status.WARNED if large else Status.PASSED, "large" if large else "fine", figure=_megabytes(size))
    submission = work.submission
    if submission.labels:
        spec = replace(spec, labels=tuple(submission.labels))
    if "\\u0000" in json.dumps(spec.to_json()):
        raise work.fails("loads", "refused", {"message": "A name in its signature has the character U+0000."})
    _number(work, spec)
    return spec


def _number(work: _Rehearsal, spec: ModelSpec) -> None:
    """What the version changes for callers, and so the number that it will have."""
    if work.before is None:
        work.says("schema", Status.PASSED, "first", figure=semver.FIRST)
        return
    last = work.before.model.versions.order_by("-number")[0]
    changes = semver.changes(work.task, ModelSpec.from_json(last.spec), spec)
    number = semver.following(last.semver, changes)
    told = {"changes": ", ".join(f"{one.side}{one.path} ({one.keyword})" for one in changes[:MOST_CHANGES])}
    breaks = any(one.breaking for one in changes)
    reason = "breaks" if breaks else "more" if changes else "same"
    work.says("schema", Status.WARNED if breaks else Status.PASSED, reason, told, number)


def _tried(work: _Rehearsal, folder: Path, spec: ModelSpec) -> dict[str, Any]:
    """Asked and measured. What was learnt for the submission's row."""
    slug = f"{work.submission.workspace.slug}/{work.submission.name}"
    try:
        with Stage(slug, folder, work.task, spec) as stage:
            work.says("loads", Status.PASSED, "loaded")
            shown = [inputs.bounded(work.task, one["input"]) for one in work.submission.golden[:MOST_TRIED]]
            given, result = _answered(work, stage, spec, shown)
            regression.judged(work.submission, work.task, stage, work.before)
            suggested = _measured(work, stage, given, result)
    except ModelNotReady as problem:
        raise work.fails("loads", "refused", {"message": problem.message}) from None
    # From now on they are asked whenever it is loaded, so that nothing is left to compile.
    spec = replace(spec, examples=tuple(shown) or spec.examples)
    return {"suggested": suggested, "spec": spec.to_json()}


def _answered(work: _Rehearsal, stage: Stage, spec: ModelSpec, shown: list[Any]) -> tuple[Any, Result]:
    """An input that was answered, and its answer. `shown`: those that came with the model."""
    given = shown or inputs.given_by(work.task, spec)
    tried = given or inputs.made_up(work.task, spec)
    if not tried:
        raise work.fails("examples", "none")
    results = []
    for at, one in enumerate(tried[:MOST_TRIED], 1):
        name = {"number": at}
        try:
            stage.check(one)
        except InputInvalid as problem:
            told = {**name, "message": f"{problem.param}: {problem.message}"}
            raise work.fails("examples", "no_input", told) from None
        try:
            results.append(stage.ask(one))
        except Problem as problem:
            raise work.fails("examples", "wrong", {**name, "message": problem.message}) from None
    work.says("examples", Status.PASSED, "answered" if given else "made_up", figure=f"{len(results)} / {len(results)}")
    return tried[0], results[0]


def _measured(work: _Rehearsal, stage: Stage, given: Any, result: Result) -> str:
    """Latency, memory and price; the price that is suggested."""
    try:
        took = stage.measure(given)
    except Problem as problem:
        raise work.fails("examples", "wrong", {"number": 1, "message": problem.message}) from None
    told = {
        "p50": f"{took.p50:.3g}", "p95": f"{took.p95:.3g}", "many50": f"{took.many50:.3g}", "many95": f"{took.many95:.3g}",
        "batch": stage.at_once,
    }  # fmt: skip
    slow = took.p95 > SLOW_MS
    work.says(
        "latency", Status.WARNED if slow else Status.PASSED, "slow" if slow else "fast", told, f"{took.p50:.3g} ms"
    )
    peak = stage.peak_bytes
    large = peak > settings.MODEL_MEMORY_BYTES // 2
    work.says(
        "memory", Status.WARNED if large else Status.PASSED, "large" if large else "fine", figure=_megabytes(peak)
    )
    review.record(work.submission, suggesting.found(work.submission, took.computed_s, result.units))
    return suggesting.lines(took.computed_s, result.units)


def _megabytes(size: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size / 1e3:.3g} kB"

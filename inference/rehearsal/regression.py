"""Examples with known answers: how well the new version answers them, and whether the one before it did better."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from inference.rehearsal import inputs
from inference.rehearsal.stage import Stage
from marketplace.catalog.models import Version
from marketplace.publishing import judging, review
from marketplace.publishing.evidence import Found
from marketplace.publishing.importing import HERE
from marketplace.publishing.models import Status, Submission
from marketplace.tasks.task import Metric, ModelSpec, Task
from portal.kit.errors import Problem


def judged(submission: Submission, task: Task, stage: Stage, before: Version | None) -> None:
    """Keeps the evidence `golden`: passed, failed where it is worse beyond the tolerance, or skipped. Raises review.Lost."""
    review.record(submission, _found(submission, task, stage, before))


def _found(submission: Submission, task: Task, stage: Stage, before: Version | None) -> Found:
    metric = judging.metric_of(task.name)
    if not submission.golden:
        return Found("golden", Status.SKIPPED, "none")
    if metric is None:
        return Found("golden", Status.SKIPPED, "no_metric")
    given = [inputs.bounded(task, one["input"]) for one in submission.golden]
    expected = [one["expected"] for one in submission.golden]
    told: dict[str, Any] = {"count": len(given), "metric": metric.label}
    try:
        value = judging.judge(task.name, stage.answers(given), expected)
    except ValueError:
        return Found("golden", Status.FAILED, "unlike", told)
    except Problem as problem:
        return Found("golden", Status.FAILED, "broke", {**told, "message": problem.message})
    told["value"] = figure = _show(metric, value)
    if before is None:
        return Found("golden", Status.PASSED, "first", told, figure)
    try:
        earlier = judging.judge(task.name, _answers_of(before, task, given), expected)
    except (Problem, ValueError) as error:
        return Found("golden", Status.WARNED, "alone", {**told, "message": str(error)}, figure)
    told |= {"before": _show(metric, earlier), "tolerance": _show(metric, judging.tolerance(metric, earlier))}
    if judging.is_worse(metric, value, earlier):
        return Found("golden", Status.FAILED, "worse", told, figure)
    return Found("golden", Status.PASSED, "better", told, figure)


def _answers_of(before: Version, task: Task, given: list[Any]) -> list[Any]:
    """Of the version before, behind the same walls. Raises Problems; ValueError for one that does not run here."""
    if before.engine not in HERE:
        raise ValueError("it does not run here")
    folder = settings.MODELS_DIR / before.source
    with Stage(str(before), folder, task, ModelSpec.from_json(before.spec)) as stage:
        return stage.answers(given)


def _show(metric: Metric, value: float) -> str:
    return metric.show(value) if metric.percent else f"{value:.3g}"

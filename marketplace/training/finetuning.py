"""Fine-tuning jobs: runs that are asked for by API. Their file is checked, then they wait, are trained, and publish themselves.

A job is a run in the state `validating` until its dataset has been examined. `wanted` says what it shall become: name,
title; and what its caller said of it: target, file, suffix, metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone, translation
from django.utils.text import slugify

from billing import money
from billing.plans.terms import Terms
from marketplace.errors import DatasetInvalid
from marketplace.tasks import registry as tasks
from marketplace.training import charges, datasets, pairs, refusals, releasing
from marketplace.training.models import Dataset, DatasetState, Run, RunState
from marketplace.training.recipes import registry
from marketplace.training.recipes.datasets.profile import CLASSIFICATION, learnt_as
from marketplace.training.releasing import Release
from marketplace.training.run_forms import PRICE_USD
from portal.accounts.models import Workspace
from portal.kit.errors import Problem

BUDGET_S = 120  # of a job that names no max_cost
_USABLE = (DatasetState.CHECKING, DatasetState.READY)


@dataclass(frozen=True, slots=True)
class Job:
    """What its caller asks for."""

    recipe: str
    params: Mapping[str, Any]
    budget_s: int
    target: str = ""  # a column; empty: the one that the dataset's profile takes for it
    suffix: str = ""
    file_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def dataset_of(workspace: Workspace, file_id: str, name: str, data: bytes) -> Dataset:
    """The dataset that is this uploaded file: made once, however often it is trained on. Raises DatasetInvalid."""
    known = workspace.datasets.filter(file_id=file_id, state__in=_USABLE).order_by("created_at").first()
    if known is not None:
        return known
    if name.lower().endswith((".jsonl", ".ndjson")):
        data = pairs.flat(data) or data
    made = datasets.keep(workspace, name, len(data), [data])
    Dataset.objects.filter(pk=made.pk).update(file_id=file_id)
    return made


def begin(job_id: str, table: Dataset, job: Job, terms: Terms) -> Run:
    """The job, on its way as far as its dataset is; twice makes one. Raises NoBudget (402)."""
    charges.can_afford(table.workspace_id, terms, job.budget_s)
    run, made = Run.objects.get_or_create(
        pk=job_id,
        workspace_id=table.workspace_id,
        defaults={
            "table": table,
            "dataset": table.name,
            "recipe": job.recipe,
            "params": dict(job.params),
            "budget_s": job.budget_s,
            "price_id": terms.price_id,
            "factor_bp": terms.factor_bp,
            "state": RunState.VALIDATING,
            # Until its dataset is known nobody can say more.
            "asked": {"target": job.target, "task": CLASSIFICATION, "leave_out": [], "folds": 0},
            "wanted": {
                "name": f"{slugify(job.suffix)[:40].strip('-_') or 'job'}-{job_id[-8:]}",
                "title": job.suffix,
                "target": job.target,
                "file": job.file_id,
                "metadata": dict(job.metadata),
            },
        },
    )
    if made:
        validate(run)
        run.refresh_from_db()
    return run


def validate(run: Run) -> None:
    """Has a job wait for its trainer where its dataset is ready, or fail where that cannot be used."""
    waiting = Run.objects.filter(pk=run.pk, state=RunState.VALIDATING)
    table = run.table
    if table is not None and table.state in (DatasetState.UPLOADING, DatasetState.CHECKING):
        return
    try:
        if table is None:
            raise DatasetInvalid("The dataset was deleted.")
        if table.state == DatasetState.REFUSED:
            with translation.override("en"):
                raise DatasetInvalid(refusals.sentence(**(table.refused or {})))
        asked = question(table, run.recipe, (run.wanted or {}).get("target", ""))
    except DatasetInvalid as problem:
        waiting.update(state=RunState.FAILED, ended_at=timezone.now(), error=problem.message[:500])
    else:
        if waiting.update(state=RunState.QUEUED, asked=asked):
            datasets.wake("train_queued")


def question(table: Dataset, recipe: str, target: str) -> dict[str, Any]:
    """What a run learns of the dataset: see Run.asked. Raises DatasetInvalid where the recipe cannot learn that."""
    columns = table.profile.get("columns", [])
    learnable = {column["name"]: column for column in columns if column["task"]}
    name = target or (pairs.EXPECTED if pairs.EXPECTED in learnable else table.profile.get("target", ""))
    if name not in learnable:
        there = ", ".join(learnable) or "none"
        raise DatasetInvalid(f"No column {name!r} can be predicted; those that can: {there}.", param="/target")
    task, others = learnable[name]["task"], [column for column in columns if column["name"] != name]
    asked = {"target": name, "task": task, "leave_out": [], "folds": 0}
    pictures = tasks.get(task).modality == "vision"
    if pictures != (recipe in registry.OWN["vision"]):
        what = "pictures" if pictures else "no pictures"
        raise DatasetInvalid(f"These are {what}: {recipe} does not learn them.", param="/model")
    if pictures:
        return asked
    if recipe in registry.OWN["language"]:
        readable = [column["name"] for column in others if "text" in column.get("roles", ())]
        written = [column["name"] for column in others if column["kind"] == "text"]
        if task != CLASSIFICATION or not readable:
            raise DatasetInvalid(f"{recipe} sorts texts into classes, and there are no such columns.", param="/model")
        text = pairs.INPUT if pairs.INPUT in readable else [*written, *readable][0]
        return asked | {"task": "text-classification", "text": text}
    if not any(learnt_as(column["kind"]) for column in others):
        raise DatasetInvalid(f"{recipe} learns from numbers, categories and dates: there are none.", param="/model")
    if recipe == "additive" and (task != CLASSIFICATION or learnable[name]["distinct"] != 2):
        raise DatasetInvalid(f"{recipe} is for a target with two values.", param="/model")
    return asked


def validate_waiting() -> None:
    """Moves on the jobs whose datasets have been examined."""
    for run in Run.objects.filter(state=RunState.VALIDATING).select_related("table").order_by("created_at"):
        validate(run)


def publish(run: Run) -> None:
    """Makes the model of a job that succeeded a version that its workspace's keys can call; twice makes one."""
    wanted = run.wanted or {}
    title = wanted["title"] or f"{run.asked['target']} ({run.dataset})"
    try:
        releasing.release(run, Release(wanted["name"], title[:120], row_nanos=money.parse(PRICE_USD)))
    except Problem as problem:
        Run.objects.filter(pk=run.pk, version=None).update(error=problem.message[:500])


def publish_waiting() -> None:
    """Publishes what a trainer that died did not."""
    left = Run.objects.filter(wanted__isnull=False, state=RunState.SUCCEEDED, version=None, purged_at=None, error="")
    for run in left:
        publish(run)

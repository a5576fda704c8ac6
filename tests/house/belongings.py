"""What the addresses of rows.py name in braces, made for a workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from billing.gate import budgets
from billing.gate.budgets import Wish
from billing.plans.terms import NOTHING
from marketplace.collections import keeping
from marketplace.publishing import submitting
from marketplace.training import datasets, runs, searching
from marketplace.training.models import Dataset
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Workspace
from portal.kit import ids


def named_in(path: str, workspace: Workspace) -> dict[str, str]:
    """A value for each name in braces in `path`, all of things that were just made for the workspace."""
    named: dict[str, str] = {}
    for names, make in MAKERS.items():
        if any(f"{{{name}}}" in path for name in names):
            named.update(zip(names, make(workspace), strict=True))
    return named


def _key(workspace: Workspace) -> tuple[str]:
    return (issue(workspace, "a key")[0].pk,)


def _dataset(workspace: Workspace) -> tuple[str]:
    return (datasets.begin(workspace, "olgas.csv", 9).pk,)


def _budget(workspace: Workspace) -> tuple[str]:
    return (budgets.make(workspace, Wish("total", "1", False, (80,), key_id=_key(workspace)[0])).pk,)


def _collection(workspace: Workspace) -> tuple[str]:
    return (keeping.make(workspace, ids.make("title")).pk,)


def _submission(workspace: Workspace) -> tuple[str]:
    return (submitting.begin(workspace, {"name": "olgas", "task": "tensor", "title": "Olga's"}, "a.zip", 9).pk,)


def _search(workspace: Workspace) -> tuple[str]:
    table = Dataset.objects.get(pk=_table_and_run(workspace)[0])
    asked = {"target": "y", "task": "tabular-classification", "leave_out": [], "folds": 0}
    return (searching.begin(table, "dense", {"units": [8, 16]}, asked, 60, NOTHING).pk,)


def _table_and_run(workspace: Workspace) -> tuple[str, str]:
    """A dataset of the workspace that is ready, and a run on it that waits."""
    column = {
        "name": "y",
        "kind": "category",
        "task": "tabular-classification",
        "distinct": 2,
        "missing": 0,
        "bars": [],
    }
    table = Dataset.objects.create(
        workspace=workspace,
        name="t.csv",
        form="csv",
        size=9,
        state="ready",
        profile={"columns": [column], "target": "y"},
    )
    asked = {"target": "y", "task": "tabular-classification", "leave_out": [], "folds": 0}
    return table.pk, runs.queue_table(table, "dense", {}, asked, 60, NOTHING).pk


def _hook_and_message(workspace: Workspace) -> tuple[str, str]:
    """A webhook of the workspace and a message to it."""
    from inference.later.deliveries import _make, _queue

    endpoint, _ = _make(workspace.pk, "https://example.com/hook", [])
    return endpoint.pk, _queue(endpoint, endpoint.url, "webhook.test", {}).pk


def _golden_set_and_run(workspace: Workspace) -> tuple[str, str, str]:
    """A golden set of the workspace, a run on it that has ended, and the end of the run's link."""
    from inference.golden.models import Example, GoldenRun, GoldenSet

    made = GoldenSet.objects.create(workspace=workspace, name="greetings", task="chat", size=1)
    Example.objects.create(golden_set=made, number=1, input={"messages": []}, expected=["hello"])
    token = ids.make("link")
    run = GoldenRun.objects.create(
        golden_set=made,
        key_id="",
        versions=["olga/secret@1"],
        state="completed",
        ceiling_nanos=1,
        most_nanos=1,
        token=token,
    )
    return made.pk, run.pk, token


# Names that are made together → who makes them.
MAKERS: dict[tuple[str, ...], Callable[[Workspace], tuple[Any, ...]]] = {
    ("key",): _key,
    ("hook", "message"): _hook_and_message,
    ("dataset",): _dataset,
    ("table", "run"): _table_and_run,
    ("search",): _search,
    ("budget",): _budget,
    ("submission",): _submission,
    ("collection",): _collection,
    ("golden", "golden_run", "token"): _golden_set_and_run,
}

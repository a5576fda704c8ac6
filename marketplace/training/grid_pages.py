"""Searching for the best knobs on a dataset: choose the values, watch the leaderboard, take the winner."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from billing.errors import NoBudget
from billing.prices import book
from marketplace.tasks import registry as tasks
from marketplace.tasks.task import Task
from marketplace.training import charges, searching
from marketplace.training.asking import asked
from marketplace.training.dataset_pages import RUN_LOOKS
from marketplace.training.datasets import wake
from marketplace.training.grid_forms import SearchForm
from marketplace.training.models import Dataset, Run, Search
from marketplace.training.run_forms import KNOB_WORDS
from marketplace.training.run_pages import SHOWN
from marketplace.training.verdicts import figures
from portal.accounts.access import has_role, require_role, thing_of, workspace_of
from portal.accounts.models import Role

_THINGS = Search.objects.select_related("workspace", "table", "winner")


@login_required
@never_cache
def begin(request: HttpRequest, dataset_id: str) -> HttpResponse:
    """GET: which values of each knob, for how much at most in all. POST: queues the runs."""
    workspace = workspace_of(request)
    table = thing_of(workspace, Dataset.objects.all(), pk=dataset_id)
    require_role(request, workspace, Role.MEMBER)
    question = asked(request, table)
    agreed, status = charges.terms(workspace.pk), 200
    second_nanos = charges.cost(agreed, 1_000)
    form = SearchForm(request.POST if request.method == "POST" else None, question.knobs, second_nanos)
    if request.method == "POST":
        if form.is_valid() & question.preparing.is_valid():
            what = question.what | {"folds": 0}
            try:
                charges.can_afford(workspace.pk, agreed, form.cleaned_data["budget_s"])
            except NoBudget as problem:
                form.add_error("budget_s", problem.message)
            else:
                made = searching.begin(table, question.recipe, form.grid, what, form.cleaned_data["budget_s"], agreed)
                wake("train_queued")
                return redirect("training_search", made.pk)
        status = 422
    context = {
        "dataset": table,
        "asked": question,
        "form": form,
        "most_runs": searching.MOST_RUNS,
        "rate": book.label(agreed.scheme),
        "second_nanos": second_nanos,
        "most_nanos": second_nanos * int(form["budget_s"].value() or 0) if status == 200 else 0,
    }
    return render(request, "marketplace/training/search_new.html", context, status=status)


@login_required
@never_cache
def search(request: HttpRequest, search_id: str) -> HttpResponse:
    """The leaderboard; until all runs have ended it asks for itself."""
    workspace = workspace_of(request)
    found = thing_of(workspace, _THINGS, pk=search_id)
    whole = not request.headers.get("HX-Request")
    context = _state(found) | {"may_change": has_role(request, workspace, Role.MEMBER)}
    answer = render(request, f"marketplace/training/{'search' if whole else '_search'}.html", context)
    if not whole and found.ended_at:
        answer["HX-Refresh"] = "true"
    return answer


@login_required
@require_POST
def cancel(request: HttpRequest, search_id: str) -> HttpResponse:
    """Ends all of its runs; what they used is billed, and the best that there is stays."""
    workspace = workspace_of(request)
    found = thing_of(workspace, _THINGS, pk=search_id)
    require_role(request, workspace, Role.MEMBER)
    searching.cancel(found, timezone.now())
    return redirect("training_search", found.pk)


def _state(found: Search) -> dict[str, Any]:
    task = tasks.get(found.asked["task"])
    runs = searching.ranked(found)
    number = {run.pk: at for at, run in enumerate(sorted(runs, key=lambda run: run.created_at), 1)}
    words = {name: str(KNOB_WORDS.get(name, name)) for name in found.grid}
    varied = [name for name, values in found.grid.items() if len(values) > 1]
    winner = found.winner
    chart = _overlaid(runs, number, SHOWN[found.asked["task"]])
    return {
        "search": found,
        "task": task,
        "metric": task.metrics[0],
        "varied": [words[name] for name in varied],
        "fixed": {words[name]: values[0] for name, values in found.grid.items() if len(values) == 1},
        "board": [_row(run, number[run.pk], {words[name]: run.params[name] for name in varied}, task) for run in runs],
        "done": sum(run.over for run in runs),
        "used_s": sum(run.used_ms for run in runs) / 1000,
        "paid_nanos": sum(run.cost_nanos for run in runs),
        "most_nanos": charges.most_nanos(runs[0], found.budget_s),
        "tested": figures(task, (winner.outcome or {}).get("metrics", {})) if winner else (),
        "chart": chart,
        "chart_rows": list(zip(chart["x"], zip(*(one["values"] for one in chart["series"]), strict=True), strict=True))
        if chart
        else (),
    }


def _row(run: Run, number: int, knobs: dict[str, Any], task: Task) -> dict[str, Any]:
    found = figures(task, (run.outcome or {}).get("validation", {}))
    return {
        "run": run,
        "number": number,
        "look": RUN_LOOKS[run.state],
        "knobs": knobs,
        "figure": found[0][1] if found else "",
        "more": found[1:],
        "used_s": run.used_ms / 1000,
    }


def _overlaid(runs: list[Run], number: dict[str, int], metric: str) -> dict[str, Any] | None:
    """The validation metric of each run by epoch; the best in the accent's colour, above the others."""
    drawn = [run for run in runs if len(run.curve) > 1]
    epochs = range(1, 1 + max((run.curve[-1]["epoch"] for run in drawn), default=0))
    if not drawn:
        return None
    series = []
    for run in reversed(drawn):
        known = {point["epoch"]: point["metric"] for point in run.curve}
        ink = "--accent" if run is runs[0] else "--muted"
        values = [known.get(epoch) for epoch in epochs]
        series.append({"label": f"#{number[run.pk]} {metric}", "values": values, "ink": ink})
    return {"x": list(epochs), "series": series}

"""Training on a dataset: choose, watch, judge, publish."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from billing import money
from billing.errors import NoBudget
from billing.prices import book
from marketplace.catalog.models import Model
from marketplace.tasks import registry as tasks
from marketplace.training import charges, drawing, releasing, runs, verdicts
from marketplace.training.asking import asked
from marketplace.training.dataset_pages import RUN_LOOKS
from marketplace.training.datasets import wake
from marketplace.training.models import Dataset, Run, RunState
from marketplace.training.preparing_forms import shown
from marketplace.training.release_forms import ReleaseForm
from marketplace.training.run_forms import RunForm
from portal.accounts.access import has_role, require_role, thing_of, workspace_of
from portal.accounts.models import Role
from portal.kit.errors import Problem

SHOWN = {  # while it is trained
    "tabular-classification": "accuracy",
    "tabular-regression": "mean_absolute_error",
    "text-classification": "accuracy",
    "image-classification": "accuracy",
}
_THINGS = Run.objects.select_related("workspace", "table", "search", "model__publisher", "version__model__publisher")


@login_required
@never_cache
def train(request: HttpRequest, dataset_id: str) -> HttpResponse:
    """GET: what to learn, of which columns, how, for how much at most. POST: queues the run."""
    workspace = workspace_of(request)
    table = thing_of(workspace, Dataset.objects.all(), pk=dataset_id)
    require_role(request, workspace, Role.MEMBER)
    question = asked(request, table)
    agreed, status = charges.terms(workspace.pk), 200
    given = request.POST if request.method == "POST" else None
    form = RunForm(given, question.knobs, charges.cost(agreed, 1_000))
    if request.method == "POST":
        if form.is_valid() & question.preparing.is_valid():
            what = question.what | {"folds": int(form.cleaned_data["folds"])}
            run = runs.queue_table(table, question.recipe, form.params, what, form.cleaned_data["budget_s"], agreed)
            try:
                charges.can_pay(run)
            except NoBudget as problem:
                run.delete()
                form.add_error("budget_s", problem.message)
            else:
                wake("train_queued")
                return redirect("run", run.pk)
        status = 422
    context = {
        "dataset": table,
        "asked": question,
        "form": form,
        "rate": book.label(agreed.scheme),
        "second_nanos": charges.cost(agreed, 1_000),
        "most_nanos": charges.cost(agreed, 1_000 * int(form["budget_s"].value() or 0)) if status == 200 else 0,
    }
    return render(request, "marketplace/training/train.html", context, status=status)


@login_required
@never_cache
def run(request: HttpRequest, run_id: str) -> HttpResponse:
    """How far it is; when it has ended, how good it is, and the form that publishes it."""
    workspace = workspace_of(request)
    found = thing_of(workspace, _THINGS, pk=run_id)
    if request.headers.get("HX-Request"):
        answer = render(request, "marketplace/training/_run.html", _state(request, found))
        if found.over:
            answer["HX-Refresh"] = "true"
        return answer
    return _page(request, found, ReleaseForm(None, found.workspace, _known(found)))


@login_required
@require_POST
def cancel(request: HttpRequest, run_id: str) -> HttpResponse:
    """Ends it; what it used is billed."""
    workspace = workspace_of(request)
    found = thing_of(workspace, _THINGS, pk=run_id)
    require_role(request, workspace, Role.MEMBER)
    runs.cancel(found, timezone.now())
    return redirect("run", found.pk)


@login_required
@require_POST
def publish(request: HttpRequest, run_id: str) -> HttpResponse:
    """Makes its model a version that the workspace can call."""
    workspace = workspace_of(request)
    found = thing_of(workspace, _THINGS, pk=run_id)
    require_role(request, workspace, Role.MEMBER)
    form = ReleaseForm(request.POST, found.workspace, _known(found))
    if form.is_valid():
        try:
            made = releasing.release(found, form.release)
        except Problem as problem:
            form.add_error(problem.param if problem.param in form.fields else "name", problem.message)
        else:
            return redirect("model", *made.model.slug.split("/"))
    return _page(request, found, form, 422)


@login_required
@require_POST
def end_canary(request: HttpRequest, run_id: str) -> HttpResponse:
    """Gives its version all calls (`live`), or none."""
    workspace = workspace_of(request)
    found = thing_of(workspace, _THINGS, pk=run_id)
    require_role(request, workspace, Role.MEMBER)
    if found.version is None:
        raise Http404
    releasing.end_canary(found, "live" in request.POST)
    return redirect("run", found.pk)


def _known(found: Run) -> dict[str, Any]:
    """What the form of its version begins with: as the version before, else as the run says."""
    if found.state != RunState.SUCCEEDED or not found.outcome or "metrics" not in found.outcome:
        return {}
    told = {"summary": releasing.summary(found), "card": releasing.card(found)}
    asked = found.asked["target"]
    before = next(iter(releasing.versions_before(found)), None)
    if before is None:
        title = _("Predict %(target)s") % {"target": asked}
        return told | {"name": slugify(asked)[:60].strip("-_") or "model", "title": title[:120]}
    model = before.model
    price = money.decimal(releasing.price_of(model))
    return told | {
        "name": model.name,
        "title": model.title,
        "licence": model.licence,
        "visibility": model.visibility,
        "price": price,
    }


def _state(request: HttpRequest, found: Run) -> dict[str, Any]:
    """What the part of the page shows that asks for itself."""
    progress = found.progress
    epochs, points = progress.get("epochs") or 0, found.curve
    chart = {
        "x": [point["epoch"] for point in points],
        "series": [
            {"label": "loss", "values": [point["loss"] for point in points]},
            {
                "label": SHOWN[found.asked["task"]],
                "values": [point["metric"] for point in points],
            },
        ],
    }
    return {
        "run": found,
        "look": RUN_LOOKS[found.state],
        "percent": round(100 * max(progress.get("epoch", 0) - 1, 0) / epochs)
        if epochs and progress.get("phase") == "training"
        else None,
        "curve": points,
        "chart": chart if len(points) > 1 else None,
        "before": runs.ahead_of(found).count() if found.state == RunState.QUEUED else 0,
        "log": found.log[::-1],
        "used_s": found.used_ms / 1000,
        "may_change": found.workspace is not None and has_role(request, found.workspace, Role.MEMBER),
    }


def _page(request: HttpRequest, found: Run, form: ReleaseForm, status: int = 200) -> HttpResponse:
    # Of a search, what the test split says is told of the winner alone, once there is one.
    hidden = found.search is not None and found.search.winner_id != found.pk
    outcome = {} if hidden else found.outcome or {}
    task = tasks.get(found.asked["task"])
    last = before = releasing.versions_before(found) if outcome else []
    evaluation = outcome.get("evaluation", {})
    compared = verdicts.compared(task, evaluation.get("before"))
    if compared:  # it stands there already, on the same rows
        before = [one for one in before if one.pk != compared["version"]]
    context = {
        **_state(request, found),
        "form": form,
        "task": task,
        "outcome": outcome,
        "validation": verdicts.figures(task, (found.outcome or {}).get("validation", {})),
        "hidden": hidden,
        "most_nanos": charges.most_nanos(found, found.budget_s),
        "publishable": bool(outcome) and found.version is None and found.purged_at is None,
        "before_versions": before,
        "compared": compared,
        "next": verdicts.following(found, last) if outcome and found.version is None else None,
        "share": releasing.share_of(found.version) if found.version else None,
        "metrics": verdicts.metrics(task, outcome, before),
        "folds_left": found.asked["folds"] - len(evaluation.get("folds") or []) if evaluation else 0,
        "folds": verdicts.folds(task, evaluation.get("folds") or []),
        "evaluation": evaluation,
        "made_ready": shown(found.asked),
        "drawn": drawing.evaluation(evaluation),
        "own": Model.objects.filter(publisher=found.workspace, task=task.name).order_by("name") if outcome else (),
    }
    return render(request, "marketplace/training/run.html", context, status=status)

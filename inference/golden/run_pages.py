"""Pages of a golden set and its runs: choose models, see what it costs, watch, compare, share."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from billing import money
from inference.golden import exporting, presenting, runs
from inference.golden.models import GoldenRun, GoldenSet
from inference.golden.sets import GoldenMissing
from inference.later.waking import wake
from marketplace.catalog.access import reader_of
from marketplace.catalog.search import Query, search
from marketplace.tasks import registry
from portal.accounts.access import has_role, require_role, thing_of, workspace_of
from portal.accounts.models import Role, User, Workspace
from portal.kit import ids
from portal.kit.errors import Problem

MOST_OFFERED = 48  # models to choose from
MOST_EXAMPLES = 10  # that the page shows
LOOKS = {"queued": "queued", "running": "training", "completed": "live", "stopped": "failed", "canceled": "failed"}


@login_required
@never_cache
def golden_set(request: HttpRequest, set_id: str) -> HttpResponse:
    """The set, its runs, and the form of a new one: ?m=publisher/name for each model gives the estimate."""
    workspace = workspace_of(request)
    found = thing_of(workspace, GoldenSet.objects.all(), pk=set_id)
    return _page(request, workspace, found, request.GET.getlist("m"))


@login_required
@require_POST
def begin(request: HttpRequest, set_id: str) -> HttpResponse:
    """Queues a run with the models `m` and the ceiling `max_cost`."""
    workspace = workspace_of(request)
    found = thing_of(workspace, GoldenSet.objects.all(), pk=set_id)
    require_role(request, workspace, Role.MEMBER)
    assert isinstance(request.user, User)
    models = request.POST.getlist("m")
    try:
        most = runs.ceiling(request.POST.get("max_cost", ""))
        runs.estimate(runs.looker(workspace.pk), found, models)  # before a key is made for it
        run = runs.begin(ids.make("grun"), runs.caller_of(workspace, request.user, found), found, models, most)
    except Problem as problem:
        return _page(request, workspace, found, models, problem.message, problem.status)
    wake("run_golden_sets")
    return redirect("golden_run", found.pk, run.pk)


@login_required
@never_cache
def golden_run(request: HttpRequest, set_id: str, run_id: str) -> HttpResponse:
    """How far it is; when it has ended, the models side by side."""
    workspace, run = _own(request, set_id, run_id)
    context = {**_state(run), "may_change": has_role(request, workspace, Role.MEMBER)}
    if request.headers.get("HX-Request"):
        answer = render(request, "inference/golden/_run.html", context)
        if run.over:
            answer["HX-Refresh"] = "true"
        return answer
    if run.results:
        context |= presenting.table(run, shows_inputs=True)
    return render(request, "inference/golden/run.html", context)


@login_required
@never_cache
def answers(request: HttpRequest, set_id: str, run_id: str) -> StreamingHttpResponse:
    """Every answer, as a CSV file."""
    _, run = _own(request, set_id, run_id)
    return StreamingHttpResponse(
        exporting.answers(run),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{run.pk}.csv"'},
    )


@login_required
@require_POST
def cancel(request: HttpRequest, set_id: str, run_id: str) -> HttpResponse:
    """Begins no more examples."""
    workspace, run = _own(request, set_id, run_id)
    require_role(request, workspace, Role.MEMBER)
    runs.cancel(run)
    wake("run_golden_sets")
    return redirect("golden_run", set_id, run.pk)


@login_required
@require_POST
def share(request: HttpRequest, set_id: str, run_id: str) -> HttpResponse:
    """`to`: link, link_with_inputs, or nothing, which ends the link for good."""
    workspace, run = _own(request, set_id, run_id)
    require_role(request, workspace, Role.MEMBER)
    wish = request.POST.get("to", "")
    if not run.over:
        messages.error(request, _("This run is still at work: share it when it has ended."))
        return redirect("golden_run", set_id, run.pk)
    runs.share(run, wish in ("link", "link_with_inputs"), wish == "link_with_inputs")
    messages.success(request, _("Whoever has the link can read the results.") if wish else _("The link is dead."))
    return redirect("golden_run", set_id, run.pk)


@login_required
@require_POST
def delete_run(request: HttpRequest, set_id: str, run_id: str) -> HttpResponse:
    """Forgets the run."""
    workspace, run = _own(request, set_id, run_id)
    require_role(request, workspace, Role.MEMBER)
    try:
        runs.delete(run)
    except Problem as problem:
        messages.error(request, problem.message)
        return redirect("golden_run", set_id, run.pk)
    messages.success(request, _("The run was deleted."))
    return redirect("golden_set", set_id)


@never_cache
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """The results of a run, for whoever has its link; the examples only where its owner wished so."""
    run = GoldenRun.objects.select_related("golden_set").filter(token=token).first()
    if run is None or not run.over:
        raise Http404
    context = {**_state(run), **presenting.table(run, run.shows_inputs), "shared": True}
    answer = render(request, "inference/golden/shared.html", context)
    answer["X-Robots-Tag"] = "noindex"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


def _own(request: HttpRequest, set_id: str, run_id: str) -> tuple[Workspace, GoldenRun]:
    workspace = workspace_of(request)
    try:
        return workspace, runs.of(thing_of(workspace, GoldenSet.objects.all(), pk=set_id), run_id)
    except GoldenMissing as error:
        raise Http404 from error


def _state(run: GoldenRun) -> dict[str, Any]:
    """What the part of the page shows that asks for itself."""
    total = run.golden_set.size * len(run.versions)
    done = run.answers.exclude(status=None)
    count = done.count()
    spent = run.cost_nanos if run.over else sum(done.values_list("cost_nanos", flat=True))
    return {
        "run": run,
        "set": run.golden_set,
        "task": registry.get(run.golden_set.task),
        "look": LOOKS[run.state],
        "why": runs.WHY.get(run.why, ""),
        "total": total,
        "done": count,
        "percent": round(100 * count / total) if total else 0,
        "spent_nanos": spent,
    }


def _page(
    request: HttpRequest, workspace: Workspace, found: GoldenSet, chosen: list[str], error: str = "", status: int = 200
) -> HttpResponse:
    words = request.GET.get("q", "")[:120]
    query = Query(words, {"task": [found.task]}, live=True)
    may_change = has_role(request, workspace, Role.MEMBER)
    offered = search(query, reader_of(request), count=MOST_OFFERED, counted=False).models
    guessed: list[runs.Estimate] = []
    if chosen and may_change and not error:
        try:
            guessed = runs.estimate(runs.looker(workspace.pk), found, chosen)
        except Problem as problem:
            error, status = problem.message, problem.status
    most = sum(one.most_nanos for one in guessed)
    slugs = [model.slug for model in offered]
    context = {
        "set": found,
        "task": registry.get(found.task),
        "examples": [
            (
                one.number,
                presenting.image(one.input),
                presenting.asked(one.input),
                presenting.said(one.expected),
                one.slices,
            )
            for one in found.examples.order_by("number")[:MOST_EXAMPLES]
        ],
        "runs": [(one, LOOKS[one.state]) for one in found.runs.defer("results").order_by("-created_at", "-pk")],
        "offered": [(model, model.slug in chosen) for model in offered],
        "others": [slug for slug in chosen if slug not in slugs],
        "chosen": chosen,
        "guessed": guessed,
        "most_nanos": most,
        "most": money.decimal(most),
        "q": words,
        "most_models": runs.MOST_MODELS,
        "error": error,
        "may_change": may_change,
    }
    return render(request, "inference/golden/set.html", context, status=status)

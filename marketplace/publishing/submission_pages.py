"""/publisher/submit and /publisher/submissions: publishers send models, see the evidence grow, and publish."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from billing.errors import PriceUnusual
from marketplace.catalog.models import Model, Visibility
from marketplace.errors import SubmissionInvalid
from marketplace.publishers import rights
from marketplace.publishing import evidence, publishing, submitting
from marketplace.publishing.models import Submission
from marketplace.publishing.models import SubmissionState as State
from marketplace.publishing.submission_forms import PublishForm, SubmissionForm, WordsForm
from marketplace.tasks import registry
from marketplace.uploads import pages as uploads
from portal.accounts.access import has_role, require_role, thing_of, workspace_of
from portal.accounts.models import Role, Workspace
from portal.accounts.wire.text import check_address, check_form
from portal.kit.errors import Problem

FORM_BYTES = 4 << 20  # of an upload besides the file
LOOKS = {
    "uploading": "queued", "queued": "queued", "inspecting": "training", "rehearsing": "training", "passed": "live",
    "failed": "failed", "published": "live", "withdrawn": "failed",
}  # fmt: skip
LARGE = ("golden", "spec")  # what pages that ask again and again do without
MARKS = {"passed": "✓", "warned": "!", "failed": "✗", "skipped": "–"}


@csrf_exempt
@login_required
def submit(request: HttpRequest) -> HttpResponse:
    """GET: the form and what was submitted. POST: a model as a plain form; its size is looked at before anything is read."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.SUBMISSION_MAX_BYTES + FORM_BYTES:
        raise submitting.too_large()
    return _submit(request)


@csrf_protect
@login_required
@never_cache
def _submit(request: HttpRequest) -> HttpResponse:
    check_address(request, {})  # as the middleware does for pages that are protected from outside
    check_form(request)
    workspace = workspace_of(request)
    form, error, status = SubmissionForm(initial=_initial(workspace, request.GET.get("model", ""))), "", 200
    if request.method == "POST":
        require_role(request, workspace, Role.MEMBER)
        form, status = SubmissionForm(request.POST, request.FILES), 422
        file = request.FILES.get("file")
        if form.is_valid():
            try:
                if not isinstance(file, UploadedFile):
                    raise SubmissionInvalid(_("Choose a file."))
                made = submitting.keep(workspace, form.told, file.name or "", file.size or 0, file.chunks())
                return redirect("submission", made.pk)
            except SubmissionInvalid as problem:
                error, status = problem.message, problem.status
    context = {
        "form": form,
        "error": error,
        "submissions": [(one, LOOKS[one.state], registry.get(one.task)) for one in _listed(workspace)],
        "may_change": has_role(request, workspace, Role.MEMBER),
        "most_mb": settings.SUBMISSION_MAX_BYTES // 1024**2,
        "chunk": settings.UPLOAD_CHUNK_BYTES,
        "namespace": workspace.slug,
        "things": reverse("submission", args=["x"])[:-1],
    }
    return render(request, "marketplace/publishing/submit.html", context, status=status)


@login_required
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """A submission whose file comes in parts: the form, with the file's `name` and `size` → where the parts go."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.MEMBER)
    form = SubmissionForm(request.POST, request.FILES)
    if not form.is_valid():
        field, sentence = form.first_error
        return JsonResponse({"message": sentence, "field": field}, status=422)
    size = request.POST.get("size", "")
    try:
        made = submitting.begin(
            workspace, form.told, request.POST.get("name", ""), int(size) if size.isdecimal() and len(size) < 16 else 0
        )
    except SubmissionInvalid as problem:
        return JsonResponse({"message": problem.message, "field": problem.param}, status=problem.status)
    return JsonResponse({"id": made.pk, "received": 0}, status=201)


@login_required
@require_http_methods(["GET", "PUT"])
def content(request: HttpRequest, submission_id: str) -> HttpResponse:
    """PUT: a part, see uploads.pages. GET: how many bytes are there."""
    workspace = workspace_of(request)
    found = thing_of(workspace, Submission.objects.defer(*LARGE), pk=submission_id)
    if request.method == "GET":
        return JsonResponse({"received": submitting.received(found), "size": found.size, "state": found.state})
    require_role(request, workspace, Role.MEMBER)
    return uploads.take(request, found.size, lambda first, pieces: submitting.append(found, first, pieces))


@login_required
@never_cache
def submission(request: HttpRequest, submission_id: str) -> HttpResponse:
    """Its state and its evidence; while that grows, the page asks for it again. POST: other words."""
    workspace = workspace_of(request)
    rows = Submission.objects.select_related("version__model__publisher").defer(*LARGE)
    found = thing_of(workspace, rows, pk=submission_id)
    if request.headers.get("HX-Request"):
        answer = render(request, "marketplace/publishing/_evidence.html", _state(found))
        if found.over:
            answer["HX-Refresh"] = "true"
        return answer
    form, status = WordsForm(initial={name: getattr(found, name) for name in submitting.WORDS}), 200
    if request.method == "POST":
        require_role(request, workspace, Role.MEMBER)
        form, status = WordsForm(request.POST), 422
        if form.is_valid():
            submitting.change(found, form.words)
            messages.success(request, _("Saved, and checked again."))
            return redirect("submission", found.pk)
    return _page(request, workspace, found, form, None, status)


@login_required
@require_POST
def publish(request: HttpRequest, submission_id: str) -> HttpResponse:
    """It becomes a version."""
    workspace = workspace_of(request)
    found = thing_of(workspace, Submission.objects.select_related("version__model__publisher"), pk=submission_id)
    require_role(request, workspace, Role.MEMBER)
    told: dict[str, Any] = _choices(workspace, _model_of(found))
    form = PublishForm(request.POST, **told)
    if form.is_valid():
        given = form.cleaned_data
        wish = publishing.Wish(given["visibility"], given["price"], given["confirmed"], given.get("percent") or 100)
        try:
            version = publishing.publish(found, wish)
        except PriceUnusual as problem:
            form = PublishForm(request.POST, **told, unusual=True)
            form.add_error("price", problem.message)
        except publishing.Stale as problem:
            messages.warning(request, problem.message)
            return redirect("submission", found.pk)
        except Problem as problem:
            form.add_error(problem.param if problem.param in form.fields else None, problem.message)
        else:
            messages.success(
                request, _("%(model)s %(semver)s is live.") % {"model": version.model.slug, "semver": version.semver}
            )
            return redirect("model", *version.model.slug.split("/"))
    words = WordsForm(initial={name: getattr(found, name) for name in submitting.WORDS})
    return _page(request, workspace, found, words, form, 422)


@login_required
@require_POST
def withdraw(request: HttpRequest, submission_id: str) -> HttpResponse:
    """It is taken back."""
    workspace = workspace_of(request)
    found = thing_of(workspace, Submission.objects.all(), pk=submission_id)
    require_role(request, workspace, Role.MEMBER)
    try:
        submitting.withdraw(found)
    except SubmissionInvalid as problem:
        messages.error(request, problem.message)
        return redirect("submission", found.pk)
    messages.success(request, _("%(name)s was withdrawn.") % {"name": found.name})
    return redirect("submit")


def _page(
    request: HttpRequest,
    workspace: Workspace,
    found: Submission,
    words: WordsForm,
    form: PublishForm | None,
    status: int,
) -> HttpResponse:
    model = _model_of(found)
    if form is None:
        initial = {
            "visibility": model.visibility if model else Visibility.WORKSPACE,
            "price": found.price or ("" if model else found.suggested),
        }
        form = PublishForm(initial=initial, **_choices(workspace, model))
    context = {
        **_state(found),
        "task": registry.get(found.task),
        "words": words,
        "form": form,
        "model": model,
        "may_change": has_role(request, workspace, Role.MEMBER),
        "open": found.state not in (State.PUBLISHED, State.WITHDRAWN),
        "chunk": settings.UPLOAD_CHUNK_BYTES,
    }
    return render(request, "marketplace/publishing/submission.html", context, status=status)


def _state(found: Submission) -> dict[str, Any]:
    checks = evidence.of(found)
    return {
        "submission": found,
        "slug": f"{found.workspace.slug}/{found.name}",
        "look": LOOKS[found.state],
        "checks": [{**one, "mark": MARKS[one["status"]]} for one in checks],
        "failed": sum(one["status"] == "failed" for one in checks),
        "count": len(evidence.CHECKS),
        "received": submitting.received(found),
    }


def _initial(workspace: Workspace, name: str) -> dict[str, Any]:
    """What is known of the model whose next version this shall be, by its page and by what was sent before."""
    told: dict[str, Any] = {"model": name}
    model = Model.objects.filter(publisher=workspace, name=name).first() if name else None
    last = Submission.objects.filter(workspace=workspace, name=name).defer(*LARGE).last() if name else None
    for known in filter(None, (model, last)):
        told |= {word: getattr(known, word) for word in ("task", "title", "summary", "card", "licence")}
    if last is not None:
        told["labels"] = "\n".join(last.labels)
    return told


def _choices(workspace: Workspace, model: Model | None) -> dict[str, Any]:
    """What the form that publishes leaves to choose; what a model has already, it may keep."""
    offered = rights.offered(workspace)
    if model is not None and model.visibility not in dict(offered):
        offered.append((model.visibility, model.get_visibility_display()))
    return {"offered": offered, "next_one": model is not None}


def _model_of(found: Submission) -> Model | None:
    return Model.objects.filter(publisher=found.workspace, name=found.name).exclude(live_version=None).first()


def _listed(workspace: Workspace) -> Any:
    return Submission.objects.filter(workspace=workspace).defer("card", *LARGE).order_by("-created_at")[:100]

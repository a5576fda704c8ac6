"""/training: what a workspace trains on, and what it trained."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count, Q, Sum
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from marketplace.errors import DatasetInvalid
from marketplace.training import datasets, refusals
from marketplace.training.models import TO_DO, Dataset, DatasetState
from marketplace.training.refusals import LEFT_OUT
from marketplace.training.samples import SAMPLES, sample
from marketplace.uploads import pages as uploads
from portal.accounts.access import has_role, require_role, thing_of, workspace_of
from portal.accounts.models import Role
from portal.accounts.wire.text import check_address, check_form

FORM_BYTES = 64 * 1024  # of an upload besides the file
WIDE, HIGH = 120, 32  # of a column's small picture
RUN_LOOKS = {
    "validating": "queued",
    "queued": "queued",
    "running": "training",
    "succeeded": "live",
    "failed": "failed",
    "canceled": "failed",
}
_LOOKS = {"uploading": "queued", "checking": "training", "ready": "live", "refused": "failed"}


@csrf_exempt
def training(request: HttpRequest) -> HttpResponse:
    """GET: datasets and runs. POST: a table as a plain form; the size is looked at before anything is read."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATASET_MAX_BYTES + FORM_BYTES:
        raise datasets.too_large()
    return _training(request)


@csrf_protect
@login_required
@never_cache
def _training(request: HttpRequest) -> HttpResponse:
    check_address(request, {})  # as the middleware does for pages that are protected from outside
    check_form(request)
    workspace = workspace_of(request)
    error = ""
    if request.method == "POST":
        require_role(request, workspace, Role.MEMBER)
        file = request.FILES.get("file")
        try:
            if not isinstance(file, UploadedFile):
                raise DatasetInvalid(_("Choose a file."))
            made = datasets.keep(workspace, file.name or "", file.size or 0, file.chunks())
        except DatasetInvalid as problem:
            error, status = problem.message, problem.status
        else:
            return redirect("dataset", made.pk)
    context = {
        "datasets": [(one, _LOOKS[one.state]) for one in workspace.datasets.defer("profile").order_by("-created_at")],
        "runs": [
            (one, RUN_LOOKS[one.state])
            for one in workspace.runs.filter(search=None).defer("outcome", "log", "curve").order_by("-created_at")[:50]
        ],
        "searches": workspace.searches.annotate(
            count=Count("runs"), done=Count("runs", filter=~Q(runs__state__in=TO_DO)), paid=Sum("runs__cost_nanos")
        ).order_by("-created_at")[:50],
        "may_change": has_role(request, workspace, Role.MEMBER),
        "samples": list(SAMPLES),
        "most_mb": settings.DATASET_MAX_BYTES // 1024**2,
        "chunk": settings.UPLOAD_CHUNK_BYTES,
        "error": error,
    }
    return render(request, "marketplace/training/training.html", context, status=status if error else 200)


@login_required
@require_POST
def add_sample(request: HttpRequest) -> HttpResponse:
    """A table to begin with, as if it had been uploaded."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.MEMBER)
    name = request.POST.get("name", "")
    if name not in SAMPLES:
        raise Http404
    data = sample(name)
    return redirect("dataset", datasets.keep(workspace, SAMPLES[name], len(data), [data]).pk)


@login_required
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """An upload in parts: `name` and `size` → where the parts go, and the page of the dataset."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.MEMBER)
    size = request.POST.get("size", "")
    try:
        made = datasets.begin(workspace, request.POST.get("name", ""), int(size) if size.isdecimal() else 0)
    except DatasetInvalid as problem:
        return JsonResponse({"message": problem.message}, status=problem.status)
    return JsonResponse({"id": made.pk, "received": 0}, status=201)


@login_required
@require_http_methods(["GET", "PUT"])
def content(request: HttpRequest, dataset_id: str) -> HttpResponse:
    """PUT with `Content-Range: bytes first-last/size`: a part. GET: how many bytes are there."""
    workspace = workspace_of(request)
    dataset = thing_of(workspace, Dataset.objects.all(), pk=dataset_id)
    if request.method == "GET":
        return JsonResponse({"received": datasets.received(dataset), "size": dataset.size, "state": dataset.state})
    require_role(request, workspace, Role.MEMBER)
    return uploads.take(request, dataset.size, lambda first, pieces: datasets.append(dataset, first, pieces))


@login_required
@never_cache
def dataset(request: HttpRequest, dataset_id: str) -> HttpResponse:
    """What is in it; until that is known the page asks for itself."""
    workspace = workspace_of(request)
    found = thing_of(workspace, Dataset.objects.all(), pk=dataset_id)
    context: dict[str, Any] = {
        "dataset": found,
        "waiting": found.state in (DatasetState.UPLOADING, DatasetState.CHECKING),
        "look": _LOOKS[found.state],
        "received": datasets.received(found) if found.state == DatasetState.UPLOADING else found.size,
        "reason": refusals.sentence(**found.refused) if found.refused else "",
        "learnable": any(column["task"] for column in found.profile.get("columns", ())),
        "columns": [_shown(column, found.rows) for column in found.profile.get("columns", ())],
        "sizes": [_shown({**size, "missing": 0}, found.rows) for size in found.profile.get("sizes", ())],
        "left_out": [(LEFT_OUT[one["why"]], one) for one in found.profile.get("left_out", ())],
        "may_change": has_role(request, workspace, Role.MEMBER),
    }
    if request.headers.get("HX-Request"):
        answer = render(request, "marketplace/training/_dataset.html", context)
        if not context["waiting"]:
            answer["HX-Refresh"] = "true"
        return answer
    return render(request, "marketplace/training/dataset.html", context)


@login_required
@require_POST
def delete(request: HttpRequest, dataset_id: str) -> HttpResponse:
    """Ends the dataset."""
    workspace = workspace_of(request)
    found = thing_of(workspace, Dataset.objects.all(), pk=dataset_id)
    require_role(request, workspace, Role.MEMBER)
    try:
        datasets.delete(found)
    except DatasetInvalid as problem:
        messages.error(request, problem.message)
        return redirect("dataset", found.pk)
    messages.success(request, _("%(name)s was deleted.") % {"name": found.name})
    return redirect("training")


def _shown(column: dict[str, Any], rows: int) -> dict[str, Any]:
    """A column of the profile with its picture: bars as rectangles in a box of WIDE × HIGH."""
    counts = [bar[-1] for bar in column["bars"] or column.get("classes", ())]
    top, step = max(counts, default=1) or 1, WIDE / max(len(counts), 1)
    bars = [
        {"x": round(at * step, 1), "width": round(step - 1, 1), "y": round(HIGH - h, 1), "height": round(h, 1)}
        for at, h in enumerate(max(HIGH * count / top, 1 if count else 0) for count in counts)
    ]
    percent = round(100 * column["missing"] / rows, 1) if rows else 0
    return {**column, "picture": bars, "percent": percent}

"""/golden: a workspace's golden sets, uploaded, begun with, deleted."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from inference.golden import files, samples, sets
from inference.golden.forms import GoldenSetForm
from inference.golden.judges.registry import JUDGES
from inference.golden.models import GoldenSet
from marketplace.tasks import registry
from portal.accounts.access import has_role, require_role, thing_of, workspace_of
from portal.accounts.models import Role
from portal.accounts.wire.text import check_address, check_form
from portal.kit import ids
from portal.kit.errors import Problem

FORM_BYTES = 64 * 1024  # of an upload besides the file


@csrf_exempt
def golden(request: HttpRequest) -> HttpResponse:
    """GET: the sets. POST: a file; its size is looked at before anything is read."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.GOLDEN_MAX_BYTES + FORM_BYTES:
        raise files.too_large()
    return _golden(request)


@csrf_protect
@login_required
@never_cache
def _golden(request: HttpRequest) -> HttpResponse:
    check_address(request, {})  # as the middleware does for pages that are protected from outside
    check_form(request)
    workspace = workspace_of(request)
    form = GoldenSetForm(request.POST, request.FILES) if request.method == "POST" else GoldenSetForm()
    errors: list[Any] = []
    if request.method == "POST":
        require_role(request, workspace, Role.MEMBER)
        if form.is_valid():
            task, file = form.cleaned_data["task"], form.cleaned_data["file"]
            try:
                name = form.cleaned_data["name"].strip() or (file.name or "").rpartition("/")[2][: sets.MOST_NAME]
                examples = files.of_file(task, file.name or "", file.read())
                made = sets.make(ids.make("gold"), workspace.pk, name, task, examples)
            except files.GoldenSetInvalid as problem:
                form.add_error("file", problem.message)
                errors = list(problem.details.get("errors", ()))  # type: ignore[call-overload] # a list
            else:
                return redirect("golden_set", made.pk)
    context = {
        "rows": [(one, registry.get(one.task)) for one in sets.all_of(workspace.pk).order_by("-created_at", "-pk")],
        "form": form,
        "errors": errors if len(errors) > 1 else [],
        "tasks": [(name, registry.get(name), JUDGES[name]) for name in sets.judged()],
        "most_mb": settings.GOLDEN_MAX_BYTES // 1024**2,
        "most": settings.GOLDEN_MAX_EXAMPLES,
        "may_change": has_role(request, workspace, Role.MEMBER),
    }
    return render(request, "inference/golden/golden.html", context, status=422 if form.errors else 200)


@login_required
def sample(request: HttpRequest, task: str, form: str) -> HttpResponse:
    """The task's examples to begin with, as a file."""
    try:
        content, kind = samples.file(task, form), samples.FORMS[form]
    except KeyError as error:
        raise Http404 from error
    return HttpResponse(
        content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{task}.{form}"'}
    )


@login_required
@require_POST
def add_sample(request: HttpRequest) -> HttpResponse:
    """The task's examples as a set, as if they had been uploaded."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.MEMBER)
    task = request.POST.get("task", "")
    if task not in sets.judged():
        raise Http404
    name = _("Sample: %(task)s") % {"task": _(registry.get(task).title)}
    made = sets.make(ids.make("gold"), workspace.pk, name, task, files.of_list(task, samples.of(task)))
    return redirect("golden_set", made.pk)


@login_required
@require_POST
def delete(request: HttpRequest, set_id: str) -> HttpResponse:
    """Ends the set with its runs."""
    workspace = workspace_of(request)
    found = thing_of(workspace, GoldenSet.objects.all(), pk=set_id)
    require_role(request, workspace, Role.MEMBER)
    try:
        sets.delete(found)
    except Problem as problem:
        messages.error(request, problem.message)
        return redirect("golden_set", found.pk)
    messages.success(request, _("%(name)s was deleted.") % {"name": found.name})
    return redirect("golden")

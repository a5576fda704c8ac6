"""/keys: on the roof, since the snippets beside a new key call a model of the catalog."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from marketplace.catalog import search, snippets
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from portal.accounts.access import require_role, thing_of, workspace_of
from portal.accounts.keys.issuing import KeyNameInvalid, issue, revoke
from portal.accounts.keys.models import KeyKind
from portal.accounts.models import Key, Role, User, Workspace


@login_required
@never_cache
def keys(request: HttpRequest) -> HttpResponse:
    """The workspace's keys. A new one is shown in the answer to its making, and never again."""
    workspace = workspace_of(request)
    context: dict[str, object] = {}
    status = 200
    if request.method == "POST":
        require_role(request, workspace, Role.MEMBER)
        assert isinstance(request.user, User)
        try:
            key, secret = issue(workspace, request.POST.get("name", ""), request.user)
        except KeyNameInvalid as problem:
            context, status = {"error": problem.message, "name": request.POST.get("name", "")}, 422
        else:
            context = {"new": key, "secret": secret, "snippets": _snippets(workspace, secret)}
    context["keys"] = (
        Key.objects.filter(workspace=workspace).exclude(kind=KeyKind.EPHEMERAL).order_by("revoked_at", "-created_at")
    )
    return render(request, "portal/keys.html", context, status=status)


@login_required
@require_POST
def revoke_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """Ends a key of the workspace."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.MEMBER)
    key = thing_of(workspace, Key.objects.all(), pk=key_id)
    revoke(key)
    messages.success(request, _("%(name)s is revoked: it stops working within a second.") % {"name": key.name})
    return redirect("keys")


def _snippets(workspace: Workspace, secret: str) -> list[dict[str, str]]:
    """Calls of a live model that work as they are."""
    live = search.visible(workspace.pk).exclude(live_version=None)
    model = live.filter(task="tabular-classification").first() or live.exclude(task="tensor").first()
    if model is None or model.live_version is None:
        return []
    task = registry.get(model.task)
    example = task.example(ModelSpec.from_json(model.live_version.spec))
    return snippets.of(model.slug, task, example, settings.SITE_URL, secret)

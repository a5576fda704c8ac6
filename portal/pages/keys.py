"""/keys and a key's own page: on the roof, since the snippets beside a new key call a model of the catalog."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from billing.gate.standing import standings
from billing.metering.rollups import hour_of
from billing.statements import usage
from marketplace.catalog import snippets, visibility
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from portal.accounts.access import has_role, require_role, thing_of, workspace_of
from portal.accounts.keys.issuing import revoke, rotate
from portal.accounts.keys.models import KeyKind
from portal.accounts.models import Key, Role, User, Workspace
from portal.kit.errors import Problem
from portal.pages import key_limits
from portal.pages.key_forms import KeyForm
from portal.pages.key_words import OVERLAPS, listed, state_of

USED_DAYS = 30
MOST_LISTED = 1_000


@login_required
@never_cache
def keys(request: HttpRequest) -> HttpResponse:
    """The workspace's keys. A new one is shown in the answer to its making, and never again."""
    workspace = workspace_of(request)
    form = KeyForm(request.POST if request.method == "POST" else None)
    context: dict[str, object] = {}
    if request.method == "POST":
        require_role(request, workspace, Role.MEMBER)
        assert isinstance(request.user, User)
        if form.is_valid():
            try:
                key, secret = key_limits.make(workspace, form.given(), request.user)
            except Problem as problem:
                form.refused(problem)
            else:
                form = KeyForm()
                context = {"new": key, "secret": secret, "snippets": _snippets(workspace, key, secret)}
    rows = list(_of(workspace).order_by("revoked_at", "-created_at")[:MOST_LISTED])
    rows.sort(key=lambda key: key.revoked_at is not None)  # databases differ in where NULL sorts
    context |= {
        "form": form,
        "keys": listed(rows, timezone.now()),
        "may_change": has_role(request, workspace, Role.MEMBER),
    }
    return render(request, "portal/keys.html", context, status=422 if form.errors else 200)


@login_required
@never_cache
def key(request: HttpRequest, key_id: str) -> HttpResponse:
    """One key: its limits and caps to change, what it used, its end."""
    workspace = workspace_of(request)
    if request.method != "POST":
        return _page(request, workspace, thing_of(workspace, _of(workspace), pk=key_id))
    require_role(request, workspace, Role.MEMBER)
    found = thing_of(workspace, _of(workspace), pk=key_id)
    form = KeyForm(request.POST, key=found)
    if form.is_valid():
        try:
            key_limits.alter(found, form.given())
        except Problem as problem:
            form.refused(problem)
        else:
            messages.success(request, _("Saved. It counts within a second."))
            return redirect("key", key_id)
    return _page(request, workspace, found, form=form)


@login_required
@never_cache
@require_POST
def rotate_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """A new secret, shown in this answer and never again; the one before opens for as long as was chosen."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.MEMBER)
    found = thing_of(workspace, _of(workspace), pk=key_id)
    chosen = request.POST.get("overlap", "0")
    try:
        secret = rotate(found, timedelta(seconds=int(chosen) if chosen.isdecimal() and len(chosen) < 9 else -1))
    except Problem as problem:
        return _page(request, workspace, found, rotate_error=problem.message)
    return _page(request, workspace, found, secret=secret)


@login_required
@require_POST
def revoke_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """Ends a key of the workspace."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.MEMBER)
    found = thing_of(workspace, _of(workspace), pk=key_id)
    revoke(found)
    messages.success(request, _("%(name)s is revoked: it stops working within a second.") % {"name": found.name})
    return redirect("keys")


def _of(workspace: Workspace) -> QuerySet[Key]:
    return Key.objects.filter(workspace=workspace).exclude(kind=KeyKind.EPHEMERAL)


def _page(
    request: HttpRequest,
    workspace: Workspace,
    found: Key,
    form: KeyForm | None = None,
    secret: str = "",
    rotate_error: str = "",
) -> HttpResponse:
    now = timezone.now()
    caps = standings([found.pk], now)[found.pk]
    wrong = rotate_error or (form is not None and form.errors)
    context = {
        "key": found,
        "state": state_of(found, now),
        "row": listed([found], now)[0],
        "form": form or KeyForm(key=found, caps=caps),
        "secret": secret,
        "overlaps": OVERLAPS,
        "rotate_error": rotate_error,
        "overlapping": found.previous_until if found.previous_until and found.previous_until > now else None,
        "used": usage.totals(workspace.pk, hour_of(now - timedelta(days=USED_DAYS)), key_id=found.pk),
        "may_change": has_role(request, workspace, Role.MEMBER) and found.revoked_at is None,
    }
    return render(request, "portal/key.html", context, status=422 if wrong else 200)


def _snippets(workspace: Workspace, key: Key, secret: str) -> list[dict[str, str]]:
    """Calls of a live model that work as they are with this key."""
    live = visibility.listed(visibility.Reader(workspace.pk)).exclude(live_version=None).filter(_allowed(key))
    model = live.filter(task="tabular-classification").first() or live.exclude(task="tensor").first()
    if model is None or model.live_version is None or "inference" not in key.scopes:
        return []
    task = registry.get(model.task)
    example = task.example(ModelSpec.from_json(model.live_version.spec))
    return snippets.of(model.slug, task, example, settings.SITE_URL, secret)


def _allowed(key: Key) -> Q:
    """The models that the key may call."""
    found = Q()
    for slug in key.allowed_models:
        publisher, _slash, name = slug.partition("/")
        found |= Q(publisher__slug=publisher) if name == "*" else Q(publisher__slug=publisher, name=name)
    return found

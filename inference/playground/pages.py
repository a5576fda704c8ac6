"""What the try-it panels of the browser need: a token for the public API. There is no second way to predict."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from billing.gate.tokens import issue_token
from marketplace.catalog.resolve import resolve
from portal.accounts.access import has_role, workspace_of
from portal.accounts.models import Role, User
from portal.accounts.wire import problems
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.json import JsonInvalid, loads
from portal.kit.errors import Problem

LIFETIME = timedelta(minutes=10)
CAP_NANOS = 1_000_000_000  # $1 a token


@login_required
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """{"model": "publisher/name"} → {"token", "expires_at"}"""
    assert isinstance(request.user, User)
    try:
        if request.content_type != "application/json":
            raise JsonInvalid("Send the body as application/json.")
        body = loads(request.body)
        workspace = workspace_of(request)
        named = str(body.get("model") if isinstance(body, dict) else "")
        model = resolve(named, workspace.pk, changes=has_role(request, workspace, Role.MEMBER)).slug
    except Problem as problem:
        return problems.answer(problem, problems.body(problem))
    key, secret = issue_token(workspace, model, timezone.now() + LIFETIME, CAP_NANOS, created_by=request.user)
    assert key.expires_at is not None
    return json_answer({"token": secret, "expires_at": key.expires_at.isoformat()})

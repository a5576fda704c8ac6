"""What the try-it panels of the browser need: a token for the public API. There is no second way to predict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from inference.api import ephemeral
from marketplace.catalog.resolve import resolve
from portal.accounts.access import workspace_of
from portal.accounts.wire import problems
from portal.accounts.wire.json import loads
from portal.accounts.wire.view import json_answer
from portal.kit.errors import Problem


@login_required
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """{"model": "publisher/name"} → {"token", "expires_at"}"""
    try:
        body = loads(request.body)
        workspace = workspace_of(request)
        model = resolve(str(body.get("model") if isinstance(body, dict) else ""), workspace.pk).slug
    except Problem as problem:
        return problems.answer(problem, problems.body(problem))
    expires = datetime.now(UTC) + timedelta(seconds=ephemeral.LIFETIME_S)
    return json_answer({"token": ephemeral.issue(workspace.pk, model), "expires_at": expires.isoformat()})

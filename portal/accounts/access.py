"""The only way from a request to a person's things."""

from __future__ import annotations

from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest

from portal.accounts.models import Membership, Role, User, Workspace
from portal.accounts.workspaces import open_personal
from portal.kit.errors import Problem

SESSION_KEY = "workspace"
_RANK = {Role.VIEWER: 0, Role.MEMBER: 1, Role.ADMIN: 2, Role.OWNER: 3}
M = TypeVar("M", bound=Model)


class Forbidden(Problem):
    """The member's role does not allow it."""

    status = 403
    code = "forbidden"


def workspace_of(request: HttpRequest) -> Workspace:
    """The workspace that the signed-in person works in: the one chosen in the session, else the personal one."""
    user = request.user
    assert isinstance(user, User), "guard the view with login_required"
    chosen = request.session.get(SESSION_KEY)
    if chosen:
        membership = Membership.objects.select_related("workspace").filter(user=user, workspace_id=chosen).first()
        if membership is not None:
            return membership.workspace
    return open_personal(user)


def thing_of(workspace: Workspace, things: QuerySet[M], **which: Any) -> M:
    """The workspace's own thing, or 404: another's thing does not exist."""
    found = things.filter(workspace=workspace, **which).first()
    if found is None:
        raise Http404
    return found


def has_role(request: HttpRequest, workspace: Workspace, least: Role) -> bool:
    """Whether the person's role in the workspace is at least `least`."""
    assert isinstance(request.user, User), "guard the view with login_required"
    membership = Membership.objects.filter(user=request.user, workspace=workspace).first()
    return membership is not None and _RANK[Role(membership.role)] >= _RANK[least]


def require_role(request: HttpRequest, workspace: Workspace, least: Role) -> None:
    """Raises Forbidden unless the person's role in the workspace is at least `least`."""
    if not has_role(request, workspace, least):
        raise Forbidden(f"Ask an owner of {workspace.name}: this needs the role {least.label}.")


def page_context(request: HttpRequest) -> dict[str, Any]:
    """Template context: the current workspace, and whether mail is kept here to be read."""
    known = bool(getattr(request, "user", None)) and request.user.is_authenticated
    return {
        "workspace": workspace_of(request) if known else None,
        "mailbox_enabled": settings.MAILBOX_DIR is not None,
    }

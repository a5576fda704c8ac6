"""From a request to a model that its visitor may see."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from marketplace.catalog.models import Model
from marketplace.catalog.visibility import ANYBODY, Reader, visible
from portal.accounts.access import has_role, workspace_of
from portal.accounts.models import Role


def workspace_id_of(request: HttpRequest) -> str | None:
    """The visitor's workspace; None for who is not signed in."""
    return workspace_of(request).pk if request.user.is_authenticated else None


def reader_of(request: HttpRequest) -> Reader:
    """The visitor as visibility.py knows them."""
    if not request.user.is_authenticated:
        return ANYBODY
    workspace = workspace_of(request)
    return Reader(workspace.pk, has_role(request, workspace, Role.MEMBER))


def model_of(request: HttpRequest, publisher: str, name: str) -> Model:
    """The model `publisher/name`, as `visibility.visible` gives it, or 404: what one may not see does not exist."""
    found = visible(reader_of(request)).filter(publisher__slug=publisher, name=name).first()
    if found is None:
        raise Http404
    return found

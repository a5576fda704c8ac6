"""From a request to a model that its visitor may see."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from marketplace.catalog.models import Model
from marketplace.catalog.search import visible
from portal.accounts.access import workspace_of


def workspace_id_of(request: HttpRequest) -> str | None:
    """The visitor's workspace; None for who is not signed in."""
    return workspace_of(request).pk if request.user.is_authenticated else None


def model_of(request: HttpRequest, publisher: str, name: str) -> Model:
    """The model `publisher/name`, as `search.visible` gives it, or 404: what one may not see does not exist."""
    found = visible(workspace_id_of(request)).filter(publisher__slug=publisher, name=name).first()
    if found is None:
        raise Http404
    return found

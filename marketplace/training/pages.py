"""/models/{publisher}/{name}/train: an operator has a starter model trained."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from marketplace.catalog.models import Model
from marketplace.training import seeds


@require_POST
@login_required
def train(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """Queues a run of the starter; its page shows how far it is."""
    if not request.user.has_perm("marketplace.change_model"):
        raise Http404
    model = get_object_or_404(Model, publisher__slug=publisher, name=name)
    try:
        seeds.train_starter(model)
    except KeyError as error:
        raise Http404 from error
    return redirect("model", publisher, name)

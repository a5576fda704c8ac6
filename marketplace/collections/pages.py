"""/collections: what a workspace keeps, and what it shares by link."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketplace.catalog.access import model_of, reader_of
from marketplace.catalog.pages import shown_all
from marketplace.catalog.sharing import shared
from marketplace.collections import keeping
from marketplace.collections.models import Collection
from portal.accounts.access import has_role, require_role, thing_of, workspace_of
from portal.accounts.models import Role
from portal.kit.errors import Problem


@login_required
def collections(request: HttpRequest) -> HttpResponse:
    """The workspace's collections, and a form for another."""
    workspace, problem = workspace_of(request), None
    title = request.POST.get("title", "")
    if request.method == "POST":
        require_role(request, workspace, Role.MEMBER)
        try:
            made = keeping.make(workspace, title, shared="shared" in request.POST)
        except keeping.CollectionInvalid as error:
            problem = error
        else:
            return redirect("collection", made.pk)
    keeping.favourites(workspace)
    context = {
        "collections": keeping.all_of(workspace),
        "may_change": has_role(request, workspace, Role.MEMBER),
        "problem": problem,
        "title": title,
    }
    return render(request, "marketplace/collections/collections.html", context, status=422 if problem else 200)


def collection(request: HttpRequest, collection_id: str) -> HttpResponse:
    """One's own collection, or one that is shared: the models of it that the reader may see."""
    reader = reader_of(request)
    found = get_object_or_404(Collection, Q(workspace_id=reader.workspace_id) | Q(shared=True), pk=collection_id)
    own = found.workspace_id == reader.workspace_id
    models = list(keeping.models_of(found, reader))
    context = {
        "collection": found,
        "models": shown_all(models),
        "shared": shared(request, str(found), " · ".join(model.title for model in models[:3]), models),
        "may_change": own and has_role(request, found.workspace, Role.MEMBER),
    }
    return render(request, "marketplace/collections/collection.html", context)


@login_required
@require_POST
def share(request: HttpRequest, collection_id: str) -> HttpResponse:
    """Whoever has the link may read it from now on, or no more."""
    found = _own(request, collection_id)
    Collection.objects.filter(pk=found.pk).update(shared="shared" in request.POST)
    return redirect("collection", found.pk)


@login_required
@require_POST
def delete(request: HttpRequest, collection_id: str) -> HttpResponse:
    """Deletes the list; its models stay."""
    _own(request, collection_id).delete()
    messages.success(request, _("The collection is deleted. Its models are still there."))
    return redirect("collections")


def keep(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """A fragment of the model's page: in which of the workspace's collections it is; POST puts it in, or takes it out."""
    model = model_of(request, publisher, name)
    if not request.user.is_authenticated:
        return HttpResponse(status=401 if request.method == "POST" else 200)
    workspace = workspace_of(request)
    favourites = keeping.favourites(workspace)
    if request.method == "POST":
        require_role(request, workspace, Role.MEMBER)
        into = thing_of(workspace, Collection.objects.all(), pk=request.POST.get("collection") or favourites.pk)
        try:
            keeping.put(into, model, kept=request.POST.get("kept") == "yes")
        except Problem as problem:
            messages.error(request, problem.message)
        if not request.headers.get("HX-Request"):
            return redirect("model", publisher, name)
    context = {
        "model": model,
        "favourites": favourites,
        "collections": keeping.all_of(workspace).exclude(title=""),
        "holding": keeping.holding(workspace, model),
        "may_change": has_role(request, workspace, Role.MEMBER),
    }
    return render(request, "marketplace/collections/_keep.html", context)


def _own(request: HttpRequest, collection_id: str) -> Collection:
    workspace = workspace_of(request)
    require_role(request, workspace, Role.MEMBER)
    return thing_of(workspace, Collection.objects.all(), pk=collection_id)

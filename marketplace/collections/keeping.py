"""What a workspace keeps: its favourites, and the collections that it makes."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from marketplace.catalog.models import Model
from marketplace.catalog.visibility import Reader, listed, visible
from marketplace.collections.models import Collection, Kept
from portal.accounts.models import Workspace
from portal.kit.errors import Problem

MOST_COLLECTIONS = 100  # of a workspace
MOST_KEPT = 500  # models in one


class CollectionInvalid(Problem):
    """A title that is empty or taken, or a list that is full."""

    status = 422
    code = "collection_invalid"


def all_of(workspace: Workspace) -> QuerySet[Collection]:
    """The workspace's collections with the number of their models, favourites first."""
    return Collection.objects.filter(workspace=workspace).annotate(count=Count("kept")).order_by("title")


def favourites(workspace: Workspace) -> Collection:
    """The list that every workspace has."""
    return Collection.objects.get_or_create(workspace=workspace, title="")[0]


def make(workspace: Workspace, title: str, shared: bool = False) -> Collection:
    """A new collection. Raises CollectionInvalid."""
    title = " ".join(title.split())
    if not title:
        raise CollectionInvalid(_("Give the collection a title."), param="title")
    if Collection.objects.filter(workspace=workspace).count() >= MOST_COLLECTIONS:
        raise CollectionInvalid(
            _("A workspace has %(most)s collections at most.") % {"most": MOST_COLLECTIONS}, param="title"
        )
    try:
        with transaction.atomic():
            return Collection.objects.create(workspace=workspace, title=title, shared=shared)
    except IntegrityError as error:
        raise CollectionInvalid(_("There is a collection of this title."), param="title") from error


def put(collection: Collection, model: Model, kept: bool) -> None:
    """Keeps the model in the collection, or no more. Raises CollectionInvalid for a full one."""
    if not kept:
        Kept.objects.filter(collection=collection, model=model).delete()
        return
    with transaction.atomic():
        Collection.objects.select_for_update().get(pk=collection.pk)
        if collection.kept.exclude(model=model).count() >= MOST_KEPT:
            raise CollectionInvalid(_("A collection holds %(most)s models at most.") % {"most": MOST_KEPT})
        Kept.objects.get_or_create(collection=collection, model=model)


def models_of(collection: Collection, reader: Reader) -> QuerySet[Model]:
    """The collection's models, by title: of one's own what one may see, of another's what is listed."""
    kept = Kept.objects.filter(collection=collection)
    models = visible(reader) if collection.workspace_id == reader.workspace_id else listed(reader)
    return models.filter(pk__in=kept.values("model")).order_by("title", "pk")


def holding(workspace: Workspace, model: Model) -> set[str]:
    """Ids of the workspace's collections that hold the model."""
    return set(
        Kept.objects.filter(collection__workspace=workspace, model=model).values_list("collection_id", flat=True)
    )

"""Collections: models that a workspace keeps together."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


def _collection_id() -> str:
    return ids.make("col")


class Collection(models.Model):
    """A named list of models. A workspace's favourites are the one without a title."""

    id = models.CharField(primary_key=True, max_length=40, default=_collection_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.CASCADE, related_name="+")
    title = models.CharField(_("title"), max_length=120, blank=True)
    shared = models.BooleanField(_("whoever has the link may read it"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("collection")
        verbose_name_plural = _("collections")
        constraints = [
            models.UniqueConstraint(fields=["workspace"], condition=Q(title=""), name="one_list_of_favourites"),
            models.UniqueConstraint(fields=["workspace", "title"], name="one_collection_a_title"),
        ]

    def __str__(self) -> str:
        return self.title or str(_("Favourites"))


class Kept(models.Model):
    """A model in a collection."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="kept")
    model = models.ForeignKey("Model", on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["collection", "model"], name="a_model_once_in_a_collection")]

    def __str__(self) -> str:
        return f"{self.model} in {self.collection}"

"""Replicas: the places where a version runs."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


class ReplicaState(models.TextChoices):
    """Whether a replica takes new work."""

    ACTIVE = "active", _("active")
    DRAINING = "draining", _("draining")
    REMOVED = "removed", _("removed")


def _replica_id() -> str:
    return ids.make("rep")


class Replica(models.Model):
    """One place where a version runs. A version without any runs at its own source."""

    id = models.CharField(primary_key=True, max_length=40, default=_replica_id, editable=False)
    version = models.ForeignKey("marketplace.Version", on_delete=models.PROTECT, related_name="replicas")
    target = models.CharField(_("target"), max_length=500)  # an upstream's URL, or a folder under settings.MODELS_DIR
    state = models.CharField(_("state"), max_length=10, choices=ReplicaState.choices, default=ReplicaState.ACTIVE)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("replica")
        verbose_name_plural = _("replicas")
        constraints = [models.UniqueConstraint(fields=["version", "target"], name="one_replica_a_target")]

    def __str__(self) -> str:
        return f"{self.version} at {self.target}"

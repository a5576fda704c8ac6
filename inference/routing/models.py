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
    engine = models.CharField(_("engine"), max_length=20, blank=True, help_text=_("blank: the version's own"))
    state = models.CharField(_("state"), max_length=10, choices=ReplicaState.choices, default=ReplicaState.ACTIVE)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("replica")
        verbose_name_plural = _("replicas")
        constraints = [models.UniqueConstraint(fields=["version", "target"], name="one_replica_a_target")]

    def __str__(self) -> str:
        return f"{self.version} at {self.target}"


class Figures(models.Model):
    """How a version's replica did in five minutes: made again from the usage events at any time, but for `missed`."""

    version_id = models.CharField(max_length=40)
    model = models.CharField(_("model"), max_length=100)  # publisher/name
    replica = models.CharField(_("replica"), max_length=40)
    since = models.DateTimeField(_("since"))
    served = models.PositiveIntegerField(_("served"))
    failed = models.PositiveIntegerField(_("failed"))
    missed = models.PositiveIntegerField(_("missed"), default=0)  # failed too, and another place was tried
    tokens = models.PositiveBigIntegerField(_("tokens written"))
    latencies = models.JSONField()  # histogram: bucket of figures.bucket → count
    first_tokens = models.JSONField()  # as above, of streams

    class Meta:
        verbose_name = _("figures")
        verbose_name_plural = _("figures")
        constraints = [
            models.UniqueConstraint(fields=["version_id", "replica", "since"], name="one_row_of_figures_a_time")
        ]
        indexes = [models.Index(fields=["model", "since"], name="figures_of_a_model")]

    def __str__(self) -> str:
        return f"{self.model} {self.since:%Y-%m-%d %H:%M}"

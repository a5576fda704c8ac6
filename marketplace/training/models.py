"""Runs: executions of a recipe, each ending in a version."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


class RunState(models.TextChoices):
    """Where a run is; transitions are in runs.py."""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("training")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")


def _run_id() -> str:
    return ids.make("run")


class Run(models.Model):
    """One execution of a recipe. The row is the truth; a message only wakes whoever takes it."""

    id = models.CharField(primary_key=True, max_length=40, default=_run_id, editable=False)
    model = models.ForeignKey("Model", on_delete=models.PROTECT, related_name="runs")
    recipe = models.CharField(_("recipe"), max_length=40)
    dataset = models.CharField(_("dataset"), max_length=200)
    params = models.JSONField(_("parameters"), default=dict)
    state = models.CharField(_("state"), max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    progress = models.JSONField(_("progress"), default=dict)  # the last marketplace.training.recipes.recipe.Progress
    curve = models.JSONField(_("curve"), default=list)  # one point an epoch
    version = models.OneToOneField("Version", null=True, on_delete=models.PROTECT, related_name="run")
    error = models.CharField(_("error"), max_length=500, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    leased_until = models.DateTimeField(null=True)  # a running run whose trainer fell silent is taken over
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    started_at = models.DateTimeField(_("started"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("training run")
        verbose_name_plural = _("training runs")
        indexes = [models.Index(fields=["created_at"], condition=Q(state__in=["queued", "running"]), name="runs_to_do")]

    def __str__(self) -> str:
        return f"{self.recipe} for {self.model}"

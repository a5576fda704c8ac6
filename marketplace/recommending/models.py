"""What is used with what: made again from usage at any time."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Neighbour(models.Model):
    """A model that the workspaces which use another one use too: written by neighbours.py alone."""

    model = models.ForeignKey("Model", on_delete=models.CASCADE, related_name="neighbours")
    other = models.ForeignKey("Model", on_delete=models.CASCADE, related_name="+")
    likeness = models.FloatField(_("likeness"))  # above 0, below 1
    made_at = models.DateTimeField(_("computed"))

    class Meta:
        verbose_name = _("neighbour")
        verbose_name_plural = _("neighbours")
        constraints = [models.UniqueConstraint(fields=["model", "other"], name="one_neighbour_once")]
        indexes = [models.Index(fields=["made_at"], name="neighbours_by_age")]

    def __str__(self) -> str:
        return f"{self.model_id} → {self.other_id}"

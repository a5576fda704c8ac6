"""Imports: models that an operator asked for in the console, brought in by a worker."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


class ImportState(models.TextChoices):
    """Where an import is; transitions are in imports.py."""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("being brought in")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")


def _import_id() -> str:
    return ids.make("imp")


class Import(models.Model):
    """One model to be brought in. The row is the truth; a message only wakes whoever takes it."""

    id = models.CharField(primary_key=True, max_length=40, default=_import_id, editable=False)
    slug = models.CharField(
        _("model"), max_length=130, help_text=_("publisher/name; a model that is there gets its next version")
    )
    task = models.CharField(_("task"), max_length=40)  # a name in marketplace.tasks.registry
    engine = models.CharField(_("engine"), max_length=20)
    source = models.CharField(_("source"), max_length=500)
    options = models.JSONField(_("options"), default=dict, blank=True)  # as marketplace.catalog.models.Version's
    price = models.TextField(_("price"), blank=True)  # lines of UNIT=USD; empty: the model's stays
    confirmed = models.BooleanField(_("unusual price confirmed"), default=False)
    state = models.CharField(_("state"), max_length=10, choices=ImportState.choices, default=ImportState.QUEUED)
    version = models.OneToOneField("Version", null=True, on_delete=models.PROTECT, related_name="+")
    error = models.CharField(_("error"), max_length=500, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    leased_until = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        indexes = [
            models.Index(fields=["created_at"], condition=Q(state__in=["queued", "running"]), name="imports_to_do")
        ]

    def __str__(self) -> str:
        return self.slug

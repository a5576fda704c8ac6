"""API keys: shown once, kept as a hash."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


def _key_id() -> str:
    return ids.make("key")


class Key(models.Model):
    """What a program shows to act for a workspace. The secret itself is nowhere: only its SHA-256."""

    id = models.CharField(primary_key=True, max_length=40, default=_key_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.PROTECT, related_name="keys")
    created_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(_("name"), max_length=80)
    hint = models.CharField(_("key"), max_length=24)  # its first and last characters, to tell keys apart
    hash = models.CharField(max_length=64, unique=True)  # hexadecimal SHA-256 of the secret
    rpm = models.PositiveIntegerField(_("requests a minute"), default=600, help_text=_("0: no limit"))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        indexes = [models.Index(fields=["workspace", "-created_at"], name="keys_of_a_workspace")]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

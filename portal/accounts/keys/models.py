"""API keys: shown once, kept as a hash."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


def _key_id() -> str:
    return ids.make("key")


class KeyKind(models.TextChoices):
    """What a key is for."""

    LIVE = "live", _("live")
    TEST = "test", _("test")  # answers are made up, free and always the same
    EPHEMERAL = "ephemeral", _("ephemeral")  # minutes long, for a browser


def default_scopes() -> list[str]:
    """What a key may do unless its maker says otherwise."""
    return ["inference", "usage"]


class Key(models.Model):
    """What a program shows to act for a workspace. The secret itself is nowhere: only its SHA-256."""

    id = models.CharField(primary_key=True, max_length=40, default=_key_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.PROTECT, related_name="keys")
    created_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(_("name"), max_length=80)
    hint = models.CharField(_("key"), max_length=24)  # its first and last characters, to tell keys apart
    hash = models.CharField(max_length=64, unique=True)  # hexadecimal SHA-256 of the secret
    kind = models.CharField(_("kind"), max_length=10, choices=KeyKind.choices, default=KeyKind.LIVE)
    scopes = models.JSONField(_("scopes"), default=default_scopes)  # what it may do: see scopes.py
    allowed_models = models.JSONField(
        _("models"), default=list, blank=True
    )  # publisher/name, or publisher/*; empty: all
    networks = models.JSONField(_("networks"), default=list, blank=True)  # CIDR; empty: from anywhere
    origin = models.CharField(_("origin"), max_length=200, blank=True)  # of the page that may use it; blank: any
    rpm = models.PositiveIntegerField(_("requests a minute"), default=600, help_text=_("0: no limit"))
    tpm = models.PositiveIntegerField(_("tokens a minute"), default=0, help_text=_("0: no limit"))
    concurrency = models.PositiveIntegerField(_("requests at once"), default=0, help_text=_("0: no limit"))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    previous_hash = models.CharField(max_length=64, blank=True, editable=False)  # the secret before a rotation …
    previous_until = models.DateTimeField(null=True, editable=False)  # … and how long it still opens

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        indexes = [
            models.Index(fields=["workspace", "-created_at"], name="keys_of_a_workspace"),
            models.Index(fields=["previous_hash"], condition=~models.Q(previous_hash=""), name="rotated_keys"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

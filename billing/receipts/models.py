"""The keys that receipts are signed with."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


def _key_id() -> str:
    return ids.make("rkey")


class ReceiptKey(models.Model):
    """An Ed25519 key. The newest that is not retired signs; the public halves of all are published for ever."""

    id = models.CharField(primary_key=True, max_length=40, default=_key_id, editable=False)
    public = models.CharField(_("public key"), max_length=64)  # 32 bytes, hexadecimal
    sealed = models.TextField(editable=False)  # the private half, hexadecimal, sealed with settings.SECRET_KEY
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    retired_at = models.DateTimeField(_("retired"), null=True)

    class Meta:
        verbose_name = _("receipt key")
        verbose_name_plural = _("receipt keys")

    def __str__(self) -> str:
        return self.id

"""Answers that are kept so that a repeated request gets the same one."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class KeptAnswer(models.Model):
    """One Idempotency-Key of a workspace on one address: at work while `status` is empty, then its answer."""

    id = models.CharField(primary_key=True, max_length=64, editable=False)  # SHA-256 of workspace, address and key
    workspace_id = models.CharField(max_length=40)
    body_hash = models.CharField(max_length=64)
    process = models.CharField(_("process"), max_length=80)  # who is at work on it
    until = models.DateTimeField()  # … and until when it is believed
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(_("created"), db_index=True)

    class Meta:
        verbose_name = _("kept answer")
        verbose_name_plural = _("kept answers")

    def __str__(self) -> str:
        return self.id

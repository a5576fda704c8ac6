"""What a workspace's webhooks are to be told about its money: written down with what happened, handed on later."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


def _notice_id() -> str:
    return ids.make("note")


class Notice(models.Model):
    """One event. Billing knows no webhooks: who does takes it from here."""

    id = models.CharField(primary_key=True, max_length=40, default=_notice_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(_("event"), max_length=60)  # as webhooks name it: budget.threshold_reached
    source = models.CharField(_("cause"), max_length=160, unique=True)  # nothing is told twice
    payload = models.JSONField()
    handed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        indexes = [models.Index(fields=["created_at"], condition=Q(handed_at=None), name="notices_to_hand_on")]

    def __str__(self) -> str:
        return self.source

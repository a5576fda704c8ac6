"""Rows of payments that went back, and of what publishers had earned by them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _


class ReversalState(models.TextChoices):
    """How far the take-back of a refund's or dispute's earnings is; the moves are in take_backs.py."""

    DUE = "due", _("to be taken back")
    TAKEN = "taken", _("taken back")
    RETURNING = "returning", _("to be given again")
    RETURNED = "returned", _("given again")


# Causes of reversals, for publishers.
TOLD = {
    "refund": gettext_noop("A customer's payment was refunded"),
    "note": gettext_noop("A customer's invoice was reduced"),
    "invoice": gettext_noop("A customer's invoice was annulled"),
    "dispute": gettext_noop("A customer disputed a payment"),
    "": gettext_noop("A customer's payment went back"),
}


class Reversal(models.Model):
    """Usage whose payment went back, wholly or by a share. Written with the refund; its earnings are taken back later."""

    source = models.CharField(_("cause"), primary_key=True, max_length=100)  # of the refund or dispute
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )  # who had paid
    funding = models.CharField(_("paid from"), max_length=12)  # credit or receivable
    start = models.DateTimeField(_("usage from"))
    end = models.DateTimeField(_("usage to"))
    share = models.BigIntegerField(_("gone back"))  # this much …
    whole = models.BigIntegerField(_("of"), null=True)  # … of this; none: of all usage paid so in the time
    reason = models.CharField(_("reason"), max_length=200)  # for operators
    state = models.CharField(_("state"), max_length=10, choices=ReversalState.choices, default=ReversalState.DUE)
    created_at = models.DateTimeField(_("time"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("reversal")
        verbose_name_plural = _("reversals")
        indexes = [
            models.Index(fields=["end"], condition=Q(state__in=["due", "returning"]), name="reversals_to_carry_out")
        ]
        constraints = [models.CheckConstraint(condition=Q(share__gt=0), name="a_reversal_is_positive")]

    def __str__(self) -> str:
        return self.source

    @property
    def why(self) -> str:
        """What publishers are told: not whose payment it was, nor what was said about it."""
        return gettext(TOLD.get(self.source.partition(":")[0], TOLD[""]))


class TakeBack(models.Model):
    """What a reversal takes back from one publisher."""

    reversal = models.ForeignKey(
        Reversal, on_delete=models.PROTECT, related_name="take_backs", verbose_name=_("reversal")
    )
    seller = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("publisher")
    )
    net_nanos = models.BigIntegerField(_("taken back"))
    created_at = models.DateTimeField(_("time"), default=timezone.now, editable=False)
    returned_at = models.DateTimeField(_("given again"), null=True, editable=False)

    class Meta:
        verbose_name = _("take-back")
        verbose_name_plural = _("take-backs")
        indexes = [models.Index(fields=["seller", "-created_at"], name="take_backs_of_a_seller")]
        constraints = [
            models.UniqueConstraint(fields=["reversal", "seller"], name="one_take_back_a_seller"),
            models.CheckConstraint(condition=Q(net_nanos__gt=0), name="a_take_back_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.seller} · {self.reversal_id}"

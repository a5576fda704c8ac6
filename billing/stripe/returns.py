"""Rows of money that went back to a customer: by us, or by their bank."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.money import NANOS_IN_CENT
from portal.kit import ids


class RefundState(models.TextChoices):
    """How far a refund got."""

    WANTED = "wanted", _("wanted")  # Stripe was not told yet
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")


def _refund_id() -> str:
    return ids.make("refd")


class Refund(models.Model):
    """Money of a top-up or of an invoice that goes back: made by an operator here, or at Stripe."""

    id = models.CharField(primary_key=True, max_length=40, default=_refund_id, editable=False)
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    top_up = models.ForeignKey(
        "billing.TopUp", null=True, on_delete=models.PROTECT, related_name="refunds", verbose_name=_("top-up")
    )
    invoice = models.ForeignKey(
        "billing.Invoice", null=True, on_delete=models.PROTECT, related_name="refunds", verbose_name=_("invoice")
    )
    cents = models.BigIntegerField(_("amount"))  # without tax
    tax_cents = models.BigIntegerField(_("tax"), default=0)  # on top
    reason = models.CharField(_("reason"), max_length=200)
    made_by = models.CharField(_("by"), max_length=254, blank=True)  # blank: at Stripe
    state = models.CharField(_("state"), max_length=10, choices=RefundState.choices, default=RefundState.WANTED)
    stripe_id = models.CharField(_("id at Stripe"), max_length=64, null=True, unique=True)  # noqa: DJ001 – NULL: not known yet; unique otherwise
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.CheckConstraint(
                condition=Q(cents__gt=0, tax_cents__gte=0) | Q(cents=0, tax_cents__gt=0),
                name="a_refund_gives_something",
            ),
            models.CheckConstraint(
                condition=Q(top_up=None, invoice__isnull=False) | Q(top_up__isnull=False, invoice=None),
                name="a_refund_is_of_one_payment",
            ),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def source(self) -> str:
        """Of its posting."""
        return f"refund:{self.pk}"

    @property
    def nanos(self) -> int:
        """What goes back without tax, in nano-dollars."""
        return self.cents * NANOS_IN_CENT

    @property
    def gross_cents(self) -> int:
        """What goes back to the card."""
        return self.cents + self.tax_cents

    @property
    def gross_nanos(self) -> int:
        """The same in nano-dollars."""
        return self.gross_cents * NANOS_IN_CENT


class CreditNote(models.Model):
    """An invoice that was made smaller, or credit for the customer's next one: Stripe's credit note, mirrored.

    What of a note goes back to the card is a refund, and not in its amounts.
    """

    stripe_id = models.CharField(_("id at Stripe"), primary_key=True, max_length=64)
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    invoice = models.ForeignKey(
        "billing.Invoice", null=True, on_delete=models.PROTECT, related_name="notes", verbose_name=_("invoice")
    )
    number = models.CharField(_("number"), max_length=80, blank=True)
    status = models.CharField(_("state"), max_length=20)  # issued, void
    cents = models.BigIntegerField(_("amount that was not refunded"))  # without tax
    tax_cents = models.BigIntegerField(_("tax"), default=0)  # on top
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("credit note")
        verbose_name_plural = _("credit notes")

    def __str__(self) -> str:
        return self.number or self.stripe_id

    @property
    def source(self) -> str:
        """Of its posting."""
        return f"note:{self.pk}"

    @property
    def gross_cents(self) -> int:
        """What is owed less."""
        return self.cents + self.tax_cents


class Dispute(models.Model):
    """A customer's bank took a payment back; Stripe's dispute, mirrored."""

    stripe_id = models.CharField(_("id at Stripe"), primary_key=True, max_length=64)
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    payment = models.CharField(_("payment"), max_length=64)  # Stripe's payment intent
    cents = models.BigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=60)
    status = models.CharField(_("state"), max_length=40)  # Stripe's word
    answer_until = models.DateTimeField(_("answer until"), null=True)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")

    def __str__(self) -> str:
        return self.stripe_id

"""Rows of what moved the platform's balance at Stripe, and of the days on which it was compared with the ledger."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.money import NANOS_IN_CENT
from billing.stripe.models import Outcome


class Purpose(models.TextChoices):
    """Why Stripe's balance moved."""

    PAYMENT = "payment", _("a payment, refund, dispute or payout")
    FEE = "fee", _("a fee")
    BANK = "bank", _("to or from our bank")
    UNKNOWN = "unknown", _("unknown")


class BalanceTransaction(models.Model):
    """Stripe's balance transaction, mirrored. Cents; what came in is positive, and a fee that we paid."""

    stripe_id = models.CharField(_("id at Stripe"), primary_key=True, max_length=64)
    type = models.CharField(_("type"), max_length=60)  # Stripe's word
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose.choices)
    cause = models.CharField(_("cause"), max_length=120, blank=True, db_index=True)  # invoice:in_…, refund:refd_…
    cents = models.BigIntegerField(_("amount"))
    fee_cents = models.BigIntegerField(_("fee"))
    on_its_way = models.BooleanField(_("on its way"), default=False)  # a bank debit that may still fail
    created_at = models.DateTimeField(_("created"), db_index=True)

    class Meta:
        verbose_name = _("balance transaction")
        verbose_name_plural = _("balance transactions")

    def __str__(self) -> str:
        return self.stripe_id

    @property
    def source(self) -> str:
        """Of its posting."""
        return f"balance:{self.pk}"

    @property
    def net_cents(self) -> int:
        """What the balance changed by."""
        return self.cents - self.fee_cents

    @property
    def fee_nanos(self) -> int:
        """What Stripe took for itself, in nano-dollars; negative: gave back."""
        return (self.fee_cents - (self.cents if self.purpose == Purpose.FEE else 0)) * NANOS_IN_CENT

    @property
    def bank_nanos(self) -> int:
        """What went to our bank, in nano-dollars; negative: came from there."""
        return -self.cents * NANOS_IN_CENT if self.purpose == Purpose.BANK else 0


class BalanceDay(models.Model):
    """A day (UTC) of Stripe's balance, as the ledger has it and as Stripe has it, after fees."""

    day = models.DateField(_("day"), primary_key=True)
    ours_cents = models.BigIntegerField(_("ours"), default=0)
    theirs_cents = models.BigIntegerField(_("Stripe's"), default=0)
    fees_cents = models.BigIntegerField(_("fees"), default=0)  # in both
    transactions = models.PositiveIntegerField(_("balance transactions"), default=0)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices, default=Outcome.EXPECTED)
    found = models.JSONField(_("differences"), default=list)  # a sentence each
    due_at = models.DateTimeField(_("compared next"), null=True)
    differs_since = models.DateTimeField(_("differs since"), null=True)
    checked_at = models.DateTimeField(_("compared"), null=True)

    class Meta:
        verbose_name = _("day of Stripe's balance")
        verbose_name_plural = _("days of Stripe's balance")
        indexes = [models.Index(fields=["due_at"], condition=~models.Q(due_at=None), name="balance_days_due")]

    def __str__(self) -> str:
        return f"{self.day}: {self.ours_cents} and {self.theirs_cents}"

    @property
    def difference_cents(self) -> int:
        """Cents that Stripe has more; negative: less."""
        return self.theirs_cents - self.ours_cents

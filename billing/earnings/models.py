"""What publishers earn by others' use of their models, and how they are paid."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.money import NANOS_IN_CENT
from portal.kit import ids

WHOLE_BP = 10_000  # hundredths of a percent in the whole


class Agreement(models.Model):
    """What the platform agreed with a publisher, from a moment on. Never changed: the next one takes its place."""

    seller = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("publisher")
    )
    fee_bp = models.PositiveIntegerField(
        _("platform fee"),
        validators=[MaxValueValidator(WHOLE_BP)],
        help_text=_("In hundredths of a percent of what was used: 2000 is 20 %."),
    )
    minimum_cents = models.PositiveIntegerField(
        _("smallest payout"), validators=[MinValueValidator(1)], help_text=_("In US cents.")
    )
    hold_days = models.PositiveSmallIntegerField(
        _("days until payable"),
        validators=[MaxValueValidator(180)],
        help_text=_("Earnings wait this long after their hour, since usage may be refunded."),
    )
    starts_at = models.DateTimeField(_("holds from"), default=timezone.now, help_text=_("Not in the past (UTC)."))
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("publisher agreement")
        verbose_name_plural = _("publisher agreements")
        constraints = [
            models.UniqueConstraint(fields=["seller", "starts_at"], name="one_agreement_at_a_time"),
            models.CheckConstraint(condition=Q(fee_bp__lte=WHOLE_BP), name="a_fee_is_a_share"),
        ]

    def __str__(self) -> str:
        return f"{self.seller} · {self.fee_bp / 100:g} %"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An agreement never changes: make the next one.")
        super().save(*args, **kwargs)


class Schedule(models.TextChoices):
    """When a publisher is paid, in UTC."""

    WEEKLY = "weekly", _("every Monday")
    MONTHLY = "monthly", _("on the first of the month")
    MANUAL = "manual", _("when I ask for it")


def _today() -> date:
    return timezone.now().date()


class Publisher(models.Model):
    """What a workspace that sells has chosen. Whoever accrues, takes back or pays holds this row: one at a time."""

    seller = models.OneToOneField(
        "accounts.Workspace", primary_key=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("publisher")
    )
    schedule = models.CharField(_("paid"), max_length=8, choices=Schedule.choices, default=Schedule.MONTHLY)
    minimum_cents = models.PositiveIntegerField(_("smallest payout"), default=0)  # the agreement's, where that is more
    decided_on = models.DateField(_("last payday looked at"), default=_today)
    carried = models.PositiveSmallIntegerField(
        _("carried"), default=0
    )  # ten-thousandths of a nano-dollar that no earning has yet

    class Meta:
        verbose_name = _("publisher")
        verbose_name_plural = _("publishers")

    def __str__(self) -> str:
        return str(self.seller)


class DestinationState(models.TextChoices):
    """Whether Stripe lets the account receive money."""

    INCOMPLETE = "incomplete", _("details are missing")
    PENDING = "pending", _("being checked by Stripe")
    ACTIVE = "active", _("ready for payouts")
    REJECTED = "rejected", _("refused by Stripe")


class Destination(models.Model):
    """A publisher's account at Stripe, as Stripe described it last."""

    stripe_id = models.CharField(_("id at Stripe"), primary_key=True, max_length=64)
    seller = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("publisher")
    )
    country = models.CharField(_("country"), max_length=2)
    state = models.CharField(
        _("state"), max_length=10, choices=DestinationState.choices, default=DestinationState.INCOMPLETE
    )
    missing = models.JSONField(_("missing"), default=list)  # Stripe's names of what it still wants
    reason = models.CharField(_("reason"), max_length=60, blank=True)  # Stripe's code of why it cannot receive
    chosen_at = models.DateTimeField(_("chosen"), default=timezone.now)  # money goes to the one chosen last
    checked_at = models.DateTimeField(_("checked"), default=timezone.now)

    class Meta:
        verbose_name = _("payout account")
        verbose_name_plural = _("payout accounts")
        indexes = [models.Index(fields=["seller", "-chosen_at"], name="destinations_of_a_seller")]

    def __str__(self) -> str:
        return self.stripe_id


class Earning(models.Model):
    """What others' use of a model in an hour earned its publisher. Late usage makes the next part."""

    seller = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("publisher")
    )
    model = models.CharField(_("model"), max_length=100)
    hour = models.DateTimeField(_("hour"))
    part = models.PositiveIntegerField(_("part"))
    gross_nanos = models.BigIntegerField(_("used"))
    fee_bp = models.PositiveIntegerField(_("fee rate"))  # of the agreement that held in the hour
    net_nanos = models.BigIntegerField(_("earned"))  # gross less fee, with the fractions of those before
    matures_at = models.DateTimeField(_("payable from"))
    accrued_at = models.DateTimeField(_("written"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("earning")
        verbose_name_plural = _("earnings")
        constraints = [
            models.UniqueConstraint(fields=["seller", "hour", "model", "part"], name="one_earning_a_part"),
            models.CheckConstraint(condition=Q(gross_nanos__gt=0, net_nanos__gte=0), name="an_earning_is_positive"),
        ]
        indexes = [
            models.Index(fields=["hour"], name="earnings_by_hour"),
            models.Index(fields=["seller", "matures_at"], name="earnings_that_mature"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.hour:%Y-%m-%d %H}h"

    @property
    def fee_nanos(self) -> int:
        """The platform's share."""
        return self.gross_nanos - self.net_nanos


class PayoutState(models.TextChoices):
    """Where a payout is; the moves are in payouts.py."""

    PENDING = "pending", _("to be sent")
    SENDING = "sending", _("being sent")
    WAITING = "waiting", _("waiting for funds")
    PAID = "paid", _("paid")
    FAILED = "failed", _("failed")
    CANCELED = "canceled", _("canceled")
    RETURNED = "returned", _("sent back")


OPEN = (PayoutState.PENDING, PayoutState.SENDING, PayoutState.WAITING)


def _payout_id() -> str:
    return ids.make("payout")


class Payout(models.Model):
    """Money on its way to a publisher. It leaves their balance when it is about to be sent."""

    id = models.CharField(primary_key=True, max_length=40, default=_payout_id, editable=False)
    seller = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("publisher")
    )
    cents = models.BigIntegerField(_("amount"))
    state = models.CharField(_("state"), max_length=8, choices=PayoutState.choices, default=PayoutState.PENDING)
    due_on = models.DateField(_("due"), null=True)  # of the schedule; none: asked for
    destination = models.ForeignKey(
        Destination, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("payout account")
    )
    attempt = models.PositiveIntegerField(_("attempt"), default=0)  # how often it left the balance
    calls = models.PositiveIntegerField(_("calls"), default=0)  # to Stripe; who claims a payout counts it up
    next_call_at = models.DateTimeField(_("next call"), default=timezone.now)
    transfer_id = models.CharField(_("transfer"), max_length=64, blank=True, db_index=True)
    reversed_cents = models.BigIntegerField(_("sent back"), default=0)
    error = models.CharField(_("error"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)
    paid_at = models.DateTimeField(_("paid"), null=True)

    class Meta:
        verbose_name = _("payout")
        verbose_name_plural = _("payouts")
        constraints = [
            models.UniqueConstraint(fields=["seller"], condition=Q(state__in=OPEN), name="one_open_payout_a_seller"),
            models.UniqueConstraint(fields=["seller", "due_on"], name="one_payout_a_due_day"),
            models.CheckConstraint(
                condition=Q(cents__gt=0, reversed_cents__gte=0, reversed_cents__lte=F("cents")),
                name="a_payout_is_positive",
            ),
        ]
        indexes = [
            models.Index(fields=["seller", "-created_at"], name="payouts_of_a_seller"),
            models.Index(fields=["next_call_at"], condition=Q(state__in=OPEN), name="payouts_to_send"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def nanos(self) -> int:
        """The amount in nano-dollars."""
        return self.cents * NANOS_IN_CENT

    @property
    def reversed_nanos(self) -> int:
        """What came back, in nano-dollars."""
        return self.reversed_cents * NANOS_IN_CENT

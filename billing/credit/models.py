"""Credit that comes by a code, or by itself when it runs low."""

from __future__ import annotations

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.money import NANOS_IN_CENT
from portal.kit import ids


class Coupon(models.Model):
    """A code that gives promotional credit, to each workspace once."""

    code = models.CharField(
        _("code"),
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[A-Z0-9-]{4,40}$", _("Use 4 to 40 capital letters, digits and hyphens."))],
    )
    amount_nanos = models.BigIntegerField(
        _("credit"), validators=[MinValueValidator(1)], help_text=_("For each workspace.")
    )
    until = models.DateTimeField(_("can be redeemed until"), null=True, blank=True)
    credit_days = models.PositiveIntegerField(
        _("days of credit"), default=90, help_text=_("How long the credit can be spent; 0: for ever.")
    )
    most = models.PositiveIntegerField(_("redemptions"), default=1, validators=[MinValueValidator(1)])
    redeemed = models.PositiveIntegerField(_("redeemed"), default=0, editable=False)
    active = models.BooleanField(_("active"), default=True)
    note = models.CharField(_("what for"), max_length=200)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        constraints = [
            models.CheckConstraint(condition=Q(redeemed__lte=F("most")), name="a_coupon_is_not_redeemed_too_often"),
            models.CheckConstraint(condition=Q(amount_nanos__gt=0), name="a_coupon_gives_something"),
        ]

    def __str__(self) -> str:
        return self.code


class Redemption(models.Model):
    """A workspace redeemed a coupon."""

    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="redemptions", verbose_name=_("coupon"))
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    redeemed_at = models.DateTimeField(_("redeemed"), default=timezone.now)

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        constraints = [models.UniqueConstraint(fields=["coupon", "workspace"], name="once_a_workspace")]

    def __str__(self) -> str:
        return f"{self.coupon} · {self.workspace}"


class CodeTry(models.Model):
    """Somebody entered a code that gave nothing: counted, so that codes cannot be guessed."""

    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.CASCADE, related_name="+")
    tried_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["workspace", "tried_at"], name="tries_of_a_workspace")]

    def __str__(self) -> str:
        return f"{self.workspace} · {self.tried_at}"


class AutoRecharge(models.Model):
    """A workspace's wish that credit is bought by itself."""

    workspace = models.OneToOneField(
        "accounts.Workspace", primary_key=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    enabled = models.BooleanField(_("on"), default=False)
    below_nanos = models.BigIntegerField(_("below"))
    amount_cents = models.BigIntegerField(_("amount"))
    month_cents = models.BigIntegerField(_("at most a month"))
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    paused = models.BooleanField(_("paused"), default=False)  # until somebody sees to it
    wanted_at = models.DateTimeField(_("wanted"), null=True)  # a request was refused for want of credit
    not_before = models.DateTimeField(_("not before"), default=timezone.now)  # when to look next

    class Meta:
        verbose_name = _("automatic recharge")
        verbose_name_plural = _("automatic recharges")
        indexes = [
            models.Index(fields=["not_before"], condition=Q(enabled=True, paused=False), name="recharges_to_look_at")
        ]

    def __str__(self) -> str:
        return f"{self.workspace} · {self.amount_cents / 100:.2f}"

    @property
    def amount_nanos(self) -> int:
        """Of one recharge, in nano-dollars."""
        return self.amount_cents * NANOS_IN_CENT

    @property
    def month_nanos(self) -> int:
        """The most of a calendar month, in nano-dollars."""
        return self.month_cents * NANOS_IN_CENT


class AttemptState(models.TextChoices):
    """How far an automatic recharge got."""

    OPEN = "open", _("under way")
    SUCCEEDED = "succeeded", _("paid")
    CONFIRM = "confirm", _("needs confirmation")
    FAILED = "failed", _("failed")


def _attempt_id() -> str:
    return ids.make("rech")


class RechargeAttempt(models.Model):
    """One automatic recharge: the row first, then the call to Stripe under the row's key."""

    id = models.CharField(primary_key=True, max_length=40, default=_attempt_id, editable=False)
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    cents = models.BigIntegerField(_("amount"))
    state = models.CharField(_("state"), max_length=10, choices=AttemptState.choices, default=AttemptState.OPEN)
    payment = models.CharField(_("payment"), max_length=64, blank=True)  # Stripe's payment intent
    card = models.CharField(
        _("card"), max_length=64, blank=True
    )  # Stripe's payment method, kept so that a repetition is the same
    error = models.CharField(_("error"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    called_at = models.DateTimeField(_("called"), null=True)

    class Meta:
        verbose_name = _("recharge attempt")
        verbose_name_plural = _("recharge attempts")
        indexes = [models.Index(fields=["workspace", "-created_at"], name="recharges_of_a_workspace")]
        constraints = [
            models.UniqueConstraint(fields=["workspace"], condition=Q(state="open"), name="one_recharge_at_a_time")
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def nanos(self) -> int:
        """In nano-dollars."""
        return self.cents * NANOS_IN_CENT

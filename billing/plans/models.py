"""Plans, and the subscriptions of workspaces to them."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.money import NANOS_IN_CENT
from portal.kit import ids


def whole_cents(nanos: int) -> None:
    """Stripe charges whole cents."""
    if nanos % NANOS_IN_CENT:
        raise ValidationError(_("Use whole cents."))


class Plan(models.Model):
    """What a workspace is on. A metered plan is subscribed to and bills usage after the month; others spend credit."""

    code = models.SlugField(_("code"), primary_key=True)
    name = models.CharField(_("name"), max_length=60)
    summary = models.CharField(_("summary"), max_length=200)
    metered = models.BooleanField(_("metered"), default=False, help_text=_("Usage is invoiced by Stripe."))
    spending_limit_nanos = models.BigIntegerField(
        _("spending limit"),
        default=0,
        help_text=_("Unpaid metered usage is refused beyond this."),
    )
    price_percent = models.PositiveSmallIntegerField(
        _("percent of the list price"),
        default=100,
        db_default=100,
        help_text=_("What usage costs on this plan; negotiated prices are what was agreed."),
    )
    base_fee_nanos = models.BigIntegerField(
        _("base fee"),
        default=0,
        validators=[MinValueValidator(0), whole_cents],
        help_text=_("A month, in whole cents. Running subscriptions keep the fee that they began with."),
    )
    included_nanos = models.BigIntegerField(
        _("included usage"),
        default=0,
        validators=[MinValueValidator(0)],
        help_text=_("Promotional credit of each period; what is left of it ends with the period."),
    )
    rpm_percent = models.PositiveIntegerField(
        _("request limits"),
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text=_("Keys' requests a minute are multiplied by this many percent."),
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    active = models.BooleanField(_("offered"), default=True)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ["position"]

    def __str__(self) -> str:
        return self.name


class SubscriptionState(models.TextChoices):
    """Where a subscription is; transitions are in subscribing.py."""

    PENDING = "pending", _("waiting for payment")
    ACTIVE = "active", _("active")
    PAST_DUE = "past_due", _("payment overdue")
    SUSPENDED = "suspended", _("suspended")
    ENDED = "ended", _("ended")


def _subscription_id() -> str:
    return ids.make("subs")


class Subscription(models.Model):
    """A workspace on a metered plan. Without one, a workspace is on the free plan."""

    id = models.CharField(primary_key=True, max_length=40, default=_subscription_id, editable=False)
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="subscriptions", verbose_name=_("workspace")
    )
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, verbose_name=_("plan"))
    state = models.CharField(
        _("state"), max_length=10, choices=SubscriptionState.choices, default=SubscriptionState.PENDING
    )
    stripe_id = models.CharField(_("id at Stripe"), max_length=64, null=True, unique=True)  # noqa: DJ001 – NULL: not known to Stripe yet; unique otherwise
    period_start = models.DateTimeField(_("period from"), null=True)
    period_end = models.DateTimeField(_("period to"), null=True)
    # The deal that was made, whatever becomes of the plan.
    base_fee_nanos = models.BigIntegerField(_("base fee"), default=0)
    included_nanos = models.BigIntegerField(_("included usage"), default=0)
    changed_at = models.DateTimeField(_("plan changed"), null=True)  # the last time, within a period or not
    cancel_at_period_end = models.BooleanField(_("ends with the period"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"],
                condition=Q(state__in=["active", "past_due", "suspended"]),
                name="one_running_subscription",
            )
        ]

    def __str__(self) -> str:
        return f"{self.workspace} · {self.plan} · {self.get_state_display()}"


class DunningStep(models.TextChoices):
    """What an unpaid invoice has led to; see dunning.py."""

    GRACE = "grace", _("grace")
    REDUCED = "reduced", _("reduced limits")
    SUSPENDED = "suspended", _("suspended")


class Overdue(models.Model):
    """A time in which a workspace has an unpaid invoice whose payment failed."""

    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    since = models.DateTimeField(_("since"))  # the first failure
    step = models.CharField(_("step"), max_length=10, choices=DunningStep.choices, default=DunningStep.GRACE)
    invoice = models.CharField(_("invoice"), max_length=64)  # Stripe's id of the oldest that is unpaid
    due_cents = models.BigIntegerField(_("due"))  # of all that are unpaid
    pay_url = models.URLField(_("where to pay"), max_length=500, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("overdue payment")
        verbose_name_plural = _("overdue payments")
        constraints = [
            models.UniqueConstraint(fields=["workspace"], condition=Q(ended_at=None), name="overdue_once_at_a_time")
        ]

    def __str__(self) -> str:
        return f"{self.workspace} · {self.get_step_display()}"

    @property
    def due_nanos(self) -> int:
        """What is due, in nano-dollars."""
        return self.due_cents * NANOS_IN_CENT

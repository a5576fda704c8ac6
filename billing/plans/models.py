"""Plans, and the subscriptions of workspaces to them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


class Plan(models.Model):
    """What a workspace subscribes to. A metered plan bills usage after the month; the free one spends credit."""

    code = models.SlugField(_("code"), primary_key=True)
    name = models.CharField(_("name"), max_length=60)
    summary = models.CharField(_("summary"), max_length=200)
    metered = models.BooleanField(_("metered"), default=False, help_text=_("Usage is invoiced by Stripe."))
    spending_limit_nanos = models.BigIntegerField(
        _("spending limit"),
        default=0,
        help_text=_("Unpaid metered usage is refused beyond this, in nano-dollars."),
    )
    price_percent = models.PositiveSmallIntegerField(
        _("percent of the list price"),
        default=100,
        db_default=100,
        help_text=_("What usage costs on this plan; negotiated prices are what was agreed."),
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
    ENDED = "ended", _("ended")


def _subscription_id() -> str:
    return ids.make("subs")


class Subscription(models.Model):
    """A workspace on a metered plan. Without one, a workspace is on the free plan."""

    id = models.CharField(primary_key=True, max_length=40, default=_subscription_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.PROTECT, related_name="subscriptions")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT)
    state = models.CharField(
        _("state"), max_length=10, choices=SubscriptionState.choices, default=SubscriptionState.PENDING
    )
    stripe_id = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 – NULL: not known to Stripe yet; unique otherwise
    period_start = models.DateTimeField(_("period from"), null=True)
    period_end = models.DateTimeField(_("period to"), null=True)
    cancel_at_period_end = models.BooleanField(_("ends with the period"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"],
                condition=Q(state__in=["active", "past_due"]),
                name="one_running_subscription",
            )
        ]

    def __str__(self) -> str:
        return f"{self.workspace} · {self.plan} · {self.get_state_display()}"

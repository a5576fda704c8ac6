"""Budget lent to processes, so that the hot path touches no row a request."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.ledger.parts import Parts
from portal.kit import ids


def _lease_id() -> str:
    return ids.make("lease")


class Lease(models.Model):
    """A block of a workspace's budget lent to one process. Its events name it; what they sum to is what it spent."""

    id = models.CharField(primary_key=True, max_length=40, default=_lease_id, editable=False)
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    key_id = models.CharField(_("key"), max_length=40, blank=True)  # set where the key has a cap of its own …
    member_id = models.BigIntegerField(
        _("member"), null=True
    )  # … and where the member who made it has: they are bound by these too
    process = models.CharField(_("process"), max_length=80)  # who may spend it
    granted_nanos = models.BigIntegerField(_("granted"))
    # Of what was granted; the rest goes on the next invoice.
    promo_nanos = models.BigIntegerField(_("promotional credit"), default=0)
    credit_nanos = models.BigIntegerField(_("credit"), default=0)
    spent_nanos = models.BigIntegerField(_("spent"), null=True)  # known when closed
    opened_at = models.DateTimeField(_("opened"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"))
    wanted_at = models.DateTimeField(_("wanted"), null=True)  # another process is short of what this one has not spent
    closed_at = models.DateTimeField(_("closed"), null=True)

    class Meta:
        verbose_name = _("lease")
        verbose_name_plural = _("leases")
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(closed_at=None), name="open_leases"),
            models.Index(fields=["workspace"], condition=Q(closed_at=None), name="open_leases_of_a_workspace"),
            models.Index(
                fields=["process"], condition=Q(closed_at=None, wanted_at__isnull=False), name="wanted_leases"
            ),
            models.Index(fields=["workspace", "opened_at"], name="leases_of_a_workspace"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(spent_nanos=None) | Q(spent_nanos__gte=0, spent_nanos__lte=F("granted_nanos")),
                name="a_lease_is_never_overspent",
            ),
            models.CheckConstraint(
                condition=Q(
                    promo_nanos__gte=0, credit_nanos__gte=0, granted_nanos__gte=F("promo_nanos") + F("credit_nanos")
                ),
                name="a_lease_is_the_sum_of_its_parts",
            ),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def granted(self) -> Parts:
        """What was granted, by what pays it."""
        return Parts(self.promo_nanos, self.credit_nanos, self.granted_nanos - self.promo_nanos - self.credit_nanos)

    def has_been_granted(self, parts: Parts) -> None:
        """Writes down what is granted now. In the transaction that posts the difference."""
        self.granted_nanos, self.promo_nanos, self.credit_nanos = parts.nanos, parts.promo, parts.credit
        self.save(update_fields=["granted_nanos", "promo_nanos", "credit_nanos"])


class Period(models.TextChoices):
    """How often a cap starts anew, in UTC; a week begins on Monday."""

    DAY = "day", _("a day")
    WEEK = "week", _("a week")
    MONTH = "month", _("a month")
    TOTAL = "total", _("in all")


def default_thresholds() -> list[int]:
    """Per cent of a budget at which its workspace is told."""
    return [50, 80, 100]


class Budget(models.Model):
    """What a workspace, one of its members (with all keys that the member made) or one of its keys is to spend in a period.

    One that stops is a cap: the most that can be spent. Its `used_nanos` counts what leases opened in the period spent,
    and all that open ones were granted. One that only tells leaves it 0.
    """

    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.CASCADE, related_name="budgets", verbose_name=_("workspace")
    )
    key = models.ForeignKey(
        "accounts.Key", null=True, on_delete=models.CASCADE, related_name="caps", verbose_name=_("key")
    )
    member = models.ForeignKey(
        "accounts.User", null=True, on_delete=models.CASCADE, related_name="+", verbose_name=_("member")
    )
    name = models.CharField(_("name"), max_length=80, blank=True)
    period = models.CharField(_("period"), max_length=5, choices=Period.choices, default=Period.TOTAL)
    limit_nanos = models.BigIntegerField(_("amount"))
    stops = models.BooleanField(_("stops"), default=True)
    thresholds = models.JSONField(_("told at"), default=default_thresholds)  # per cent, ascending
    told = models.JSONField(_("told"), default=list)  # those that were told in the period from …
    told_since = models.DateTimeField(_("told since"))
    used_nanos = models.BigIntegerField(_("used or lent"), default=0)
    period_start = models.DateTimeField(_("since"))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)  # or made to stop

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "period", "stops"],
                condition=Q(key=None, member=None),
                name="one_budget_a_workspace_and_period",
            ),
            models.UniqueConstraint(
                fields=["workspace", "member", "period", "stops"],
                condition=Q(member__isnull=False),
                name="one_budget_a_member_and_period",
            ),
            models.UniqueConstraint(
                fields=["key", "period", "stops"], condition=Q(key__isnull=False), name="one_budget_a_key_and_period"
            ),
            models.CheckConstraint(condition=Q(key=None) | Q(member=None), name="a_budget_is_for_one"),
            models.CheckConstraint(
                condition=Q(used_nanos__lte=F("limit_nanos"), used_nanos__gte=0), name="a_cap_is_not_passed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key or self.member or self.workspace} {self.period}: {self.limit_nanos}"

    @property
    def left_nanos(self) -> int:
        """Of one that stops: what may still be lent in its period."""
        return self.limit_nanos - self.used_nanos

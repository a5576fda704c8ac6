"""Budget lent to processes, so that the hot path touches no row a request."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


def _lease_id() -> str:
    return ids.make("lease")


class Lease(models.Model):
    """A block of a workspace's budget lent to one process. Its events name it; what they sum to is what it spent."""

    id = models.CharField(primary_key=True, max_length=40, default=_lease_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.PROTECT, related_name="+")
    key_id = models.CharField(max_length=40, blank=True)  # set where the key has a cap of its own
    funding = models.CharField(_("paid from"), max_length=12)  # ledger account kind: promo, credit or receivable
    process = models.CharField(_("process"), max_length=80)  # who may spend it
    granted_nanos = models.BigIntegerField(_("granted"))
    spent_nanos = models.BigIntegerField(_("spent"), null=True)  # known when closed
    opened_at = models.DateTimeField(_("opened"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"))
    closed_at = models.DateTimeField(_("closed"), null=True)

    class Meta:
        verbose_name = _("lease")
        verbose_name_plural = _("leases")
        indexes = [models.Index(fields=["expires_at"], condition=Q(closed_at=None), name="open_leases")]
        constraints = [
            models.CheckConstraint(
                condition=Q(spent_nanos=None) | Q(spent_nanos__gte=0, spent_nanos__lte=F("granted_nanos")),
                name="a_lease_is_never_overspent",
            )
        ]

    def __str__(self) -> str:
        return self.id


class Period(models.TextChoices):
    """How often a cap starts anew, in UTC; a week begins on Monday."""

    DAY = "day", _("a day")
    WEEK = "week", _("a week")
    MONTH = "month", _("a month")
    TOTAL = "total", _("in all")


class Cap(models.Model):
    """The most that a key may spend in a period.

    `used_nanos` counts what leases opened in the period spent, and all that open ones were granted.
    """

    key = models.ForeignKey("accounts.Key", on_delete=models.CASCADE, related_name="caps")
    period = models.CharField(_("period"), max_length=5, choices=Period.choices, default=Period.TOTAL)
    limit_nanos = models.BigIntegerField(_("cap"))
    used_nanos = models.BigIntegerField(_("used or lent"), default=0)
    period_start = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("spending cap")
        verbose_name_plural = _("spending caps")
        constraints = [
            models.UniqueConstraint(fields=["key", "period"], name="one_cap_a_period"),
            models.CheckConstraint(
                condition=Q(used_nanos__lte=F("limit_nanos"), used_nanos__gte=0), name="a_cap_is_not_passed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.period}: {self.used_nanos} of {self.limit_nanos}"

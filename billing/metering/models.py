"""What was used: one immutable event a prediction, and their sums by the hour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from django.db import models, transaction
from django.db.models import Case, F, Q, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.metering.sums import FIELDS, OWED, REST, Group, Sum, paid, summed


class Status(models.TextChoices):
    """How a prediction ended."""

    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")  # costs nothing, but for what a stream had delivered
    CANCELED = "canceled", _("canceled")  # its reader left
    INTERRUPTED = "interrupted", _("interrupted")  # its process died; billed as far as its last checkpoint
    REPLAYED = (
        "replayed",
        _("answered from memory"),
    )  # nothing ran: a kept or cached answer was given again, for nothing


class UsageEvents(models.QuerySet["UsageEvent"]):
    """No event without its sum."""

    def of_operations(self, *names: str) -> UsageEvents:
        """The events of these operations. SQLite finds the partial index by the second condition only."""
        return self.filter(operation_id__in=names).exclude(operation_id="")

    def paid_from(self, funding: str) -> UsageEvents:
        """The events of which a funding paid something; `paid_nanos` is what."""
        of_first = F("cost_nanos") - F("rest_nanos") - F("owed_nanos")
        rest = {REST: "rest_nanos", OWED: "owed_nanos"}.get(funding)
        if rest is None:
            return self.filter(funding=funding).annotate(paid_nanos=of_first)
        its = Case(When(funding=funding, then=of_first), default=F(rest), output_field=models.BigIntegerField())
        return self.filter(Q(funding=funding) | Q(**{f"{rest}__gt": 0})).annotate(paid_nanos=its)

    def paid(self) -> dict[str, int]:
        """Funding → nano-dollars that it paid of these events."""
        found: dict[str, int] = {}
        rows = self.order_by().values_list("funding")
        for row in rows.annotate(*(models.Sum(name) for name in ("cost_nanos", "rest_nanos", "owed_nanos"))):
            for funding, nanos in paid(*row):
                found[funding] = found.get(funding, 0) + nanos
        return found

    def bulk_create(self, objs: Iterable[UsageEvent], *args: Any, **kwargs: Any) -> list[UsageEvent]:
        with transaction.atomic():
            made = super().bulk_create(objs, *args, **kwargs)
            Rollup.add(made)
        return made


class UsageEvent(models.Model):
    """The record of what one prediction used and cost. Written once, by recorder.py, before the answer leaves.

    References are plain ids: an event outlives what it names, and the hot path pays no foreign-key look-up.
    """

    id = models.CharField(primary_key=True, max_length=40, editable=False)  # use_…
    request_id = models.CharField(_("request"), max_length=64)
    operation_id = models.CharField(
        _("operation"), max_length=64, blank=True
    )  # what retries of a request have in common
    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.SUCCEEDED)
    workspace_id = models.CharField(_("workspace"), max_length=40)
    key_id = models.CharField(_("key"), max_length=40, blank=True)
    model = models.CharField(_("model"), max_length=100)  # publisher/name
    version_id = models.CharField(_("version"), max_length=40)
    replica = models.CharField(_("replica"), max_length=40, blank=True)
    protocol = models.CharField(_("protocol"), max_length=20)
    units = models.JSONField(_("units"))  # unit name → count
    price_id = models.CharField(_("price"), max_length=40)
    # Database defaults: a process of the version before, which does not know these columns, may still be writing.
    factor_bp = models.PositiveIntegerField(_("share of the list price"), default=10_000, db_default=10_000)
    tier_from = models.JSONField(_("units of the month before it"), null=True)  # where the price has tiers
    cost_nanos = models.BigIntegerField(_("cost"))
    seller_id = models.CharField(
        _("publisher"), max_length=40, blank=True, default="", db_default=""
    )  # the publisher's workspace
    lease_id = models.CharField(_("lease"), max_length=40, blank=True)  # blank: it was free
    funding = models.CharField(_("paid from"), max_length=12, blank=True)  # promo, credit, receivable
    # Of the cost: what bought credit paid where promotional credit paid first, and what the next invoice has where credit did.
    rest_nanos = models.BigIntegerField(_("rest from credit"), default=0, db_default=0)
    owed_nanos = models.BigIntegerField(_("rest on the invoice"), default=0, db_default=0)
    latency_ms = models.PositiveIntegerField(_("latency"))
    first_ms = models.PositiveIntegerField(_("time to the first token"), null=True)  # of a stream
    recorded_at = models.DateTimeField(_("time"))

    objects = UsageEvents.as_manager()

    class Meta:
        verbose_name = _("usage event")
        verbose_name_plural = _("usage events")
        indexes = [
            models.Index(fields=["workspace_id", "-recorded_at", "-id"], name="usage_of_a_workspace"),
            models.Index(fields=["workspace_id", "model", "-recorded_at", "-id"], name="usage_of_a_model"),
            models.Index(fields=["workspace_id", "key_id", "-recorded_at", "-id"], name="usage_of_a_key"),
            models.Index(fields=["lease_id"], name="usage_on_a_lease"),
            models.Index(fields=["recorded_at"], name="usage_by_time"),
            models.Index(fields=["operation_id"], condition=~models.Q(operation_id=""), name="usage_of_an_operation"),
        ]

    def __str__(self) -> str:
        return self.id

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Writes the event and its sum. Raises IntegrityError for one that was written before: it never changes."""
        with transaction.atomic():
            super().save(force_insert=True)
            Rollup.add([self])

    @property
    def paid(self) -> dict[str, int]:
        """Funding → nano-dollars that it paid of the cost; empty where it was free."""
        return dict(paid(self.funding, self.cost_nanos, self.rest_nanos, self.owed_nanos))

    @property
    def invoiced_nanos(self) -> int:
        """What an invoice has of the cost."""
        return self.paid.get(OWED, 0)


class Checkpoint(models.Model):
    """How far a stream that still runs has come: what is billed of it should its process die."""

    request_id = models.CharField(primary_key=True, max_length=64)
    lease_id = models.CharField(max_length=40, blank=True, db_index=True)
    usage = models.JSONField()  # recorder.Usage
    saved_at = models.DateTimeField()

    class Meta:
        verbose_name = _("stream checkpoint")
        verbose_name_plural = _("stream checkpoints")

    def __str__(self) -> str:
        return self.request_id


class SumOfUsage(models.Model):
    """The usage of a time that is alike."""

    workspace_id = models.CharField(_("workspace"), max_length=40)
    hour = models.DateTimeField(_("hour"))  # the first of the time
    model = models.CharField(_("model"), max_length=100)
    key_id = models.CharField(_("key"), max_length=40, blank=True)
    funding = models.CharField(_("paid from"), max_length=12, blank=True)
    seller_id = models.CharField(_("publisher"), max_length=40, blank=True, default="")  # the publisher's workspace
    requests = models.BigIntegerField(_("requests"))
    failed = models.BigIntegerField(_("failed"), default=0)  # of the requests
    cost_nanos = models.BigIntegerField(_("cost"))
    units = models.JSONField(_("units"), default=dict)  # unit name → count

    class Meta:
        abstract = True

    @classmethod
    def of(cls, group: Group, total: Sum, **more: str) -> Self:
        """A row, not saved."""
        return cls(
            **group._asdict(), requests=total.requests, failed=total.failed, cost_nanos=total.cost_nanos,
            units=dict(sorted(total.units.items())), **more,
        )  # fmt: skip


class Rollup(SumOfUsage):
    """A summand of an hour's usage: what was used is the sum of all rows, those not folded yet included.

    The transaction that writes events adds a row for each of their groups, named by its first event (`part`); no two
    transactions touch the same row. rollups.roll_up() folds such rows into the one of the group with the blank part.
    """

    part = models.CharField(_("part"), max_length=40, blank=True, default="")

    class Meta:
        verbose_name = _("hourly usage")
        verbose_name_plural = _("hourly usage")
        constraints = [
            models.UniqueConstraint(
                fields=["workspace_id", "hour", "model", "key_id", "funding", "seller_id", "part"],
                name="one_rollup_an_hour_and_part",
            )
        ]
        indexes = [
            models.Index(fields=["hour"], name="rollups_by_hour"),
            models.Index(fields=["workspace_id", "part"], condition=~models.Q(part=""), name="rollups_to_fold"),
            models.Index(fields=["seller_id", "hour"], condition=~models.Q(seller_id=""), name="rollups_of_a_seller"),
        ]

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.hour:%Y-%m-%d %H}h {self.model}"

    @classmethod
    def add(cls, events: list[UsageEvent]) -> None:
        """The sums of events that this very transaction writes."""
        sums = summed(tuple(getattr(event, name) for name in FIELDS) for event in events)
        Rollup.objects.bulk_create([Rollup.of(group, total, part=events[0].pk) for group, total in sums.items()])


class DayRollup(SumOfUsage):
    """The sum of a day's folded rollups (UTC), so that a month is thirty rows instead of seven hundred; see days.py."""

    class Meta:
        verbose_name = _("daily usage")
        verbose_name_plural = _("daily usage")
        constraints = [
            models.UniqueConstraint(
                fields=["workspace_id", "hour", "model", "key_id", "funding", "seller_id"], name="one_rollup_a_day"
            )
        ]
        indexes = [models.Index(fields=["hour"], name="rollups_by_day")]

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.hour:%Y-%m-%d} {self.model}"


class MonthInTiers(models.Model):
    """Where a workspace is in the tiers of a product in a calendar month (UTC). Locked by whoever commits such events."""

    workspace_id = models.CharField(_("workspace"), max_length=40)
    product = models.CharField(_("product"), max_length=100)
    month = models.DateField(_("month"))  # its first day
    state = models.JSONField(default=dict)  # prices.month.Month
    # What volume prices billed above the month's total, given back when it is over. None: not looked at yet.
    credited_nanos = models.BigIntegerField(_("given back"), null=True)

    class Meta:
        verbose_name = _("month in tiers")
        verbose_name_plural = _("months in tiers")
        constraints = [
            models.UniqueConstraint(fields=["workspace_id", "product", "month"], name="one_place_in_the_tiers_a_month")
        ]
        indexes = [models.Index(fields=["month"], condition=models.Q(credited_nanos=None), name="months_not_looked_at")]

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.product} {self.month:%Y-%m}"


class Archive(models.Model):
    """A Parquet file of usage events that are no longer in the database; see archive.py."""

    month = models.DateTimeField(_("month"))
    path = models.CharField(_("file"), max_length=120, unique=True)  # in storages["archive"]
    rows = models.PositiveIntegerField(_("events"))
    cost_nanos = models.BigIntegerField(_("cost"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)  # hexadecimal, of the file
    first_workspace = models.CharField(max_length=40)  # rows are in the order of their workspaces
    last_workspace = models.CharField(max_length=40)
    first_at = models.DateTimeField(_("first event"))
    last_at = models.DateTimeField(_("last event"))
    made_at = models.DateTimeField(_("made"), default=timezone.now)

    class Meta:
        verbose_name = _("archived usage")
        verbose_name_plural = _("archived usage")
        indexes = [models.Index(fields=["last_at"], name="archives_by_time")]

    def __str__(self) -> str:
        return self.path

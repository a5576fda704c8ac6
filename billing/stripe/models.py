"""What we know of Stripe: whose ids are whose, what it told us, what we told it, what it invoiced."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.money import NANOS_IN_CENT, NANOS_IN_MICRO


class StripeLink(models.Model):
    """Our thing ↔ Stripe's id of it, in one Stripe account (the sandbox's are not the real one's)."""

    account = models.CharField(max_length=64)
    kind = models.CharField(max_length=20)  # customer, product, price, meter
    key = models.CharField(max_length=60)  # our id of it
    stripe_id = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "kind", "key"], name="one_link_a_thing"),
            models.UniqueConstraint(fields=["account", "stripe_id"], name="one_link_a_stripe_id"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} = {self.stripe_id}"


class StripeEvent(models.Model):
    """A webhook delivery, stored once under Stripe's id, handled once."""

    id = models.CharField(primary_key=True, max_length=64)
    type = models.CharField(_("type"), max_length=80)
    object_id = models.CharField(_("object"), max_length=64, blank=True)  # handlers fetch the current state of it
    created_at = models.DateTimeField(_("created"))
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    claimed_until = models.DateTimeField(_("claimed until"), null=True)  # a worker is at it; then it counts as dead
    handled_at = models.DateTimeField(_("handled"), null=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.CharField(_("error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("Stripe event")
        verbose_name_plural = _("Stripe events")
        indexes = [
            models.Index(fields=["received_at"], condition=models.Q(handled_at=None), name="unhandled_stripe_events")
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class ReportState(models.TextChoices):
    """How far something that Stripe must be told once got."""

    PENDING = "pending", _("waiting")
    SENDING = "sending", _("being sent")
    ACCEPTED = "accepted", _("accepted")
    REJECTED = "rejected", _("rejected")  # it will not be told: an operator must look
    TOO_OLD = "too_old", _("too old: invoiced by itself")  # usage that the meter takes no more; see late.py
    UNSURE = "unsure", _("unsure")  # it was sent, and nobody knows whether it arrived


class Telling(models.Model):
    """What Stripe must be told exactly once, and how far that got; transitions are in sending.py."""

    state = models.CharField(_("state"), max_length=10, choices=ReportState.choices, default=ReportState.PENDING)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(
        _("next attempt"), default=timezone.now
    )  # of SENDING: when it counts as lost
    first_attempt_at = models.DateTimeField(_("first attempt"), null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    error = models.CharField(_("error"), max_length=300, blank=True)

    class Meta:
        abstract = True


class Report(Telling):
    """Usage of a workspace in an hour, as told to a Stripe meter. Late events make the next part.

    A correction is a part without usage of its own, that was never sent: `value` is what Stripe turned out to have more
    (or, negative, less) than it was told. The running sum of nanos and values makes up for it in the next part.
    """

    identifier = models.CharField(
        _("identifier"), primary_key=True, max_length=100
    )  # rep-{workspace}-{hour}-{part}; fix-… of a correction
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    hour = models.DateTimeField(_("hour"))
    part = models.PositiveIntegerField(_("part"))
    nanos = models.BigIntegerField(_("usage"))  # of this part, nano-dollars
    value = models.BigIntegerField(_("value"))  # micro-dollars sent; what stays under one is carried to the next part
    timestamp = models.DateTimeField(_("timestamp"))

    class Meta:
        verbose_name = _("meter report")
        verbose_name_plural = _("meter reports")
        constraints = [
            models.UniqueConstraint(fields=["workspace", "hour", "part"], name="one_report_a_part"),
            # Stripe wants one call at a time for each customer and meter.
            models.UniqueConstraint(
                fields=["workspace"], condition=models.Q(state="sending"), name="one_report_at_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "next_attempt_at"], name="reports_to_send"),
            models.Index(fields=["hour"], name="reports_by_hour"),
            models.Index(fields=["workspace", "timestamp"], name="reports_by_timestamp"),
            models.Index(fields=["sent_at"], name="reports_by_sending"),
        ]

    def __str__(self) -> str:
        return self.identifier


class Outcome(models.TextChoices):
    """What comparing a day with Stripe gave."""

    EXPECTED = "expected", _("not compared yet")
    AGREES = "agrees", _("agrees")
    DIFFERS = "differs", _("differs: looked at again shortly")
    CORRECTED = "corrected", _("differed: corrected")
    STUCK = "stuck", _("differs: an operator must look")


class Reconciliation(models.Model):
    """A workspace's day, as reported and as Stripe's meter has it, in micro-dollars."""

    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    day = models.DateField(_("day"))
    ours = models.BigIntegerField(_("ours"), default=0)
    theirs = models.BigIntegerField(_("Stripe's"), default=0)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices, default=Outcome.EXPECTED)
    corrections = models.PositiveSmallIntegerField(_("corrections"), default=0)
    corrected = models.BigIntegerField(_("corrected by"), default=0)  # what Stripe had more (negative: less), in sum
    due_at = models.DateTimeField(_("compared next"), null=True)
    differs_since = models.DateTimeField(_("differs since"), null=True)
    checked_at = models.DateTimeField(_("compared"), null=True)

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        constraints = [models.UniqueConstraint(fields=["workspace", "day"], name="one_reconciliation_a_day")]
        indexes = [models.Index(fields=["due_at"], condition=~models.Q(due_at=None), name="reconciliations_due")]

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.day}: {self.ours} and {self.theirs}"

    @property
    def difference(self) -> int:
        """Micro-dollars that Stripe has more; negative: less."""
        return self.theirs - self.ours


class LateUsage(Telling):
    """What final invoices bill too little or too much of a workspace's usage, made up for once; see late.py.

    Too little is an invoice item, too much (negative) a credit note. `surplus`: what Stripe's meter turned out to have of
    periods that are over and nobody used; reports work it off no more. Defaults of the database are there for a process
    of the version before.
    """

    identifier = models.CharField(_("identifier"), primary_key=True, max_length=100)  # late-{workspace}-{part}
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    part = models.PositiveIntegerField(_("part"))
    value = models.BigIntegerField(_("value"))  # micro-dollars
    # An item on an invoice of its own, or money back, since no other invoice comes.
    alone = models.BooleanField(_("on an invoice of its own"))
    surplus = models.BigIntegerField(_("surplus at Stripe"), default=0, db_default=0)  # micro-dollars
    until = models.DateTimeField(_("to"), null=True)  # when the last of those periods ended
    invoice = models.ForeignKey(
        "billing.Invoice", null=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("invoice")
    )  # credited
    cents = models.BigIntegerField(_("credited"), default=0, db_default=0)  # of the credit note, without tax
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("late usage")
        verbose_name_plural = _("late usage")
        constraints = [models.UniqueConstraint(fields=["workspace", "part"], name="one_late_usage_a_part")]

    def __str__(self) -> str:
        return self.identifier

    @property
    def source(self) -> str:
        """Of its posting."""
        return f"late:{self.pk}"

    @property
    def unused_nanos(self) -> int:
        """What was billed and nobody used, in nano-dollars."""
        return max(-self.value, 0) * NANOS_IN_MICRO

    @property
    def credited_nanos(self) -> int:
        """What the credit note gives back without tax, in nano-dollars."""
        return self.cents * NANOS_IN_CENT


class TopUp(models.Model):
    """A purchase of credit: Stripe's payment intent, mirrored."""

    stripe_id = models.CharField(_("id at Stripe"), primary_key=True, max_length=64)
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    status = models.CharField(_("state"), max_length=30)  # Stripe's word
    cents = models.BigIntegerField(_("credit"))  # what is credited; a tax comes on top
    tax_cents = models.BigIntegerField(_("tax"), default=0)
    automatic = models.BooleanField(_("automatic"), default=False)
    refunded_cents = models.BigIntegerField(_("refunded"), default=0)
    receipt_url = models.URLField(_("receipt"), max_length=500, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True)  # the credit
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("top-up")
        verbose_name_plural = _("top-ups")
        indexes = [models.Index(fields=["workspace", "-created_at"], name="top_ups_of_a_workspace")]

    def __str__(self) -> str:
        return self.stripe_id

    @property
    def nanos(self) -> int:
        """The credit in nano-dollars."""
        return self.cents * NANOS_IN_CENT

    @property
    def tax_nanos(self) -> int:
        """The tax in nano-dollars."""
        return self.tax_cents * NANOS_IN_CENT

    @property
    def refunded_nanos(self) -> int:
        """What went back, in nano-dollars."""
        return self.refunded_cents * NANOS_IN_CENT

    @property
    def source(self) -> str:
        """Of its posting and its lot."""
        return f"topup:{self.stripe_id}"


class Invoice(models.Model):
    """Stripe's invoice, mirrored. Cents; `lines` as invoices.py writes them."""

    stripe_id = models.CharField(_("id at Stripe"), primary_key=True, max_length=64)
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="invoices", verbose_name=_("workspace")
    )
    number = models.CharField(_("number"), max_length=60, blank=True)
    status = models.CharField(_("status"), max_length=20)  # draft, open, paid, void, uncollectible
    currency = models.CharField(_("currency"), max_length=3)
    total_cents = models.BigIntegerField(_("total"))
    tax_cents = models.BigIntegerField(_("tax"), default=0)
    due_cents = models.BigIntegerField(
        _("due"), default=0
    )  # after the customer's balance and credit notes, before payment
    paid_cents = models.BigIntegerField(_("paid"), default=0)
    noted_cents = models.BigIntegerField(_("credit notes"), default=0)
    refunded_cents = models.BigIntegerField(_("refunded"), default=0)
    period_start = models.DateTimeField(_("from"))
    period_end = models.DateTimeField(_("to"))
    lines = models.JSONField(_("lines"), default=list)
    attempts = models.PositiveIntegerField(_("payment attempts"), default=0)
    hosted_url = models.URLField(_("page at Stripe"), max_length=500, blank=True)
    # Its line of metered usage: micro-dollars, from, to.
    usage_micros = models.BigIntegerField(_("metered usage"), default=0)
    usage_start = models.DateTimeField(_("usage from"), null=True)
    usage_end = models.DateTimeField(_("usage until"), null=True)
    pdf_url = models.URLField(_("PDF"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created"))
    finalized_at = models.DateTimeField(_("final"), null=True)
    due_at = models.DateTimeField(_("due on"), null=True)

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        indexes = [models.Index(fields=["workspace", "-created_at"], name="invoices_of_a_workspace")]

    def __str__(self) -> str:
        return self.number or self.stripe_id

    @property
    def total_nanos(self) -> int:
        """The total in nano-dollars."""
        return self.total_cents * NANOS_IN_CENT

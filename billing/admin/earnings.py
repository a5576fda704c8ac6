"""Publishers: agreements, what they earned, and their payouts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from billing import money
from billing.admin.amounts import WrittenField
from billing.admin.records import RecordAdmin
from billing.earnings import agreements, payouts
from billing.models import Agreement, Destination, Earning, Payout, Publisher, Reversal, TakeBack
from portal.kit.errors import Problem


def _percent(bp: int) -> str:
    return f"{bp / 100:g}"


def _dollars(cents: int) -> str:
    return f"{cents / 100:.2f}"


class AgreementForm(forms.ModelForm):  # type: ignore[type-arg] # stubs want the model twice
    """Refuses what cannot be agreed. The fee is written in percent, the smallest payout in dollars."""

    fee_bp = WrittenField(
        agreements.fee_of, _percent, label=_("platform fee, in percent"), help_text=_("Of what was used.")
    )
    minimum_cents = WrittenField(agreements.cents_of, _dollars, label=_("smallest payout, in dollars"))

    class Meta:
        model = Agreement
        fields = ("seller", "fee_bp", "minimum_cents", "hold_days", "starts_at", "note")

    def clean(self) -> dict[str, Any]:
        """Says what `agree` would refuse, beside its field."""
        given = super().clean() or {}
        if not self.errors:
            try:
                agreements.check(given["fee_bp"], given["minimum_cents"], given["hold_days"], given["starts_at"])
            except Problem as problem:
                self.add_error(problem.param, problem.message)
        return given


@admin.register(Agreement)
class AgreementAdmin(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    form = AgreementForm
    list_display = ("seller", "fee", "minimum", "hold_days", "starts_at", "note")
    list_select_related = ("seller",)
    search_fields = ("seller__slug",)
    ordering = ("-starts_at",)
    autocomplete_fields = ("seller",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "fee_bp": settings.PLATFORM_FEE_BP, "minimum_cents": settings.PAYOUT_MINIMUM_CENTS,
            "hold_days": settings.PAYOUT_HOLD_DAYS, "starts_at": timezone.now(),
            **super().get_changeform_initial_data(request),
        }  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: Agreement | None = None) -> bool:
        return False  # the next agreement takes its place

    def has_delete_permission(self, request: HttpRequest, obj: Agreement | None = None) -> bool:
        return False

    @admin.display(description=_("platform fee"), ordering="fee_bp")
    def fee(self, row: Agreement) -> str:
        return f"{_percent(row.fee_bp)} %"

    @admin.display(description=_("smallest payout"), ordering="minimum_cents")
    def minimum(self, row: Agreement) -> str:
        return f"${_dollars(row.minimum_cents)}"


@admin.register(Publisher)
class PublisherAdmin(RecordAdmin):
    list_display = ("seller", "balance", "schedule", "minimum", "decided_on")
    list_filter = ("schedule",)
    list_select_related = ("seller",)
    search_fields = ("seller__slug",)

    @admin.display(description=_("balance"))
    def balance(self, row: Publisher) -> str:
        return money.show(payouts.funds(row.pk, timezone.now()).owed_nanos)

    @admin.display(description=_("smallest payout"), ordering="minimum_cents")
    def minimum(self, row: Publisher) -> str:
        return f"${_dollars(row.minimum_cents)}"


@admin.register(Destination)
class DestinationAdmin(RecordAdmin):
    list_display = ("stripe_id", "seller", "country", "state", "reason", "checked_at")
    list_filter = ("state", "country")
    list_select_related = ("seller",)
    search_fields = ("stripe_id", "seller__slug")


@admin.register(Earning)
class EarningAdmin(RecordAdmin):
    list_display = ("hour", "seller", "model", "part", "gross", "net", "matures_at")
    list_select_related = ("seller",)
    search_fields = ("seller__slug", "model")
    ordering = ("-hour",)

    @admin.display(description=_("used"))
    def gross(self, row: Earning) -> str:
        return money.show(row.gross_nanos)

    @admin.display(description=_("earned"))
    def net(self, row: Earning) -> str:
        return money.show(row.net_nanos)


@admin.register(Reversal)
class ReversalAdmin(RecordAdmin):
    list_display = ("source", "workspace", "funding", "start", "end", "share", "whole", "state", "reason")
    list_filter = ("state",)
    list_select_related = ("workspace",)
    search_fields = ("source", "workspace__slug")
    ordering = ("-created_at",)


@admin.register(TakeBack)
class TakeBackAdmin(RecordAdmin):
    list_display = ("created_at", "seller", "reversal", "net", "returned_at")
    list_select_related = ("seller", "reversal")
    search_fields = ("seller__slug", "reversal__source")
    ordering = ("-created_at",)

    @admin.display(description=_("taken back"))
    def net(self, row: TakeBack) -> str:
        return money.show(row.net_nanos)


@admin.register(Payout)
class PayoutAdmin(RecordAdmin):
    list_display = ("id", "seller", "amount", "state", "due_on", "transfer_id", "calls", "next_call_at", "error")
    list_filter = ("state",)
    list_select_related = ("seller",)
    search_fields = ("id", "seller__slug", "transfer_id")
    ordering = ("-created_at",)
    actions = ("try_again", "cancel")

    def has_change_permission(self, request: HttpRequest, obj: Payout | None = None) -> bool:
        # Actions move a payout as far as its transitions allow; its amount and where it goes stay.
        return obj is None and bool(super(RecordAdmin, self).has_change_permission(request))

    @admin.display(description=_("amount"), ordering="cents")
    def amount(self, row: Payout) -> str:
        return money.show(row.nanos)

    @admin.action(description=_("Send now"))
    def try_again(self, request: HttpRequest, chosen: QuerySet[Payout]) -> None:
        self._each(request, chosen, payouts.retry, timezone.now())

    @admin.action(description=_("Cancel"))
    def cancel(self, request: HttpRequest, chosen: QuerySet[Payout]) -> None:
        self._each(request, chosen, payouts.cancel)

    def _each(self, request: HttpRequest, chosen: QuerySet[Payout], act: Callable[..., Any], *more: datetime) -> None:
        for payout in chosen:
            try:
                act(payout.pk, *more)
            except Problem as problem:
                self.message_user(request, f"{payout.pk}: {problem.message}", "error")
            else:
                self.message_user(request, f"{payout.pk}: ✓")

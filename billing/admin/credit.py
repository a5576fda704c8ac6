"""Credit that is given: coupons and grants; and credit that is bought by itself."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from billing import money
from billing.admin.amounts import DollarsField, InDollars
from billing.admin.records import RecordAdmin
from billing.ledger import lots
from billing.models import AutoRecharge, Coupon, Lot, RechargeAttempt, Redemption
from billing.plans import allowances


@admin.register(Coupon)
class CouponAdmin(InDollars):
    list_display = ("code", "amount", "until", "redeemed", "most", "active", "note")
    list_filter = ("active",)
    search_fields = ("code", "note")
    fields = ("code", "amount_nanos", "credit_days", "most", "until", "active", "note")

    def get_readonly_fields(self, request: HttpRequest, obj: Coupon | None = None) -> tuple[str, ...]:
        return ("code", "amount", "credit_days") if obj else ()  # who redeems it later gets what the first got

    def get_fields(self, request: HttpRequest, obj: Coupon | None = None) -> tuple[str, ...]:
        return tuple("amount" if obj and name == "amount_nanos" else name for name in self.fields)

    def has_delete_permission(self, request: HttpRequest, obj: Coupon | None = None) -> bool:
        return False

    @admin.display(description=_("credit"), ordering="amount_nanos")
    def amount(self, row: Coupon) -> str:
        return money.show(row.amount_nanos)


@admin.register(Redemption)
class RedemptionAdmin(RecordAdmin):
    list_display = ("redeemed_at", "coupon", "workspace")
    search_fields = ("coupon__code", "workspace__slug")


class GrantForm(forms.ModelForm):  # type: ignore[type-arg] # stubs want the model twice
    """What an operator gives, and why. `once` tells one form from another: sent twice, it gives once."""

    amount = DollarsField(label=_("Amount, in dollars"))
    days = forms.IntegerField(
        label=_("Days"), initial=90, min_value=0, max_value=3650, help_text=_("0: it does not expire."),
        widget=UnfoldAdminIntegerFieldWidget,
    )  # fmt: skip
    reason = forms.CharField(label=_("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)
    once = forms.CharField(widget=forms.HiddenInput, max_length=40)

    class Meta:
        model = Lot
        fields = ("workspace",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "once" in self.fields:
            self.fields["once"].initial = uuid.uuid4().hex

    def clean_amount(self) -> int:
        """Something must be given."""
        nanos: int = self.cleaned_data["amount"]
        if not nanos:
            raise forms.ValidationError(_("Give more than nothing."))
        return nanos


@admin.register(Lot)
class LotAdmin(RecordAdmin):
    list_display = ("workspace", "kind", "left", "memo", "created_at", "expires_at")
    list_filter = ("kind",)
    search_fields = ("workspace__slug", "source")
    form = GrantForm
    autocomplete_fields = ("workspace",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("billing.add_lot"))

    def get_fields(self, request: HttpRequest, obj: Lot | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("workspace", "amount", "days", "reason", "once")
        return ("workspace", "kind", "amount_nanos", "left_nanos", "source", "memo", "created_at", "expires_at")

    def save_model(self, request: HttpRequest, obj: Lot, form: GrantForm, change: bool) -> None:
        given = form.cleaned_data
        ends = timezone.now() + timedelta(days=given["days"]) if given["days"] else None
        source = f"grant:{given['once']}"
        memo = f"{given['reason']} ({request.user})"
        allowances.grant(given["workspace"], given["amount"], source, memo, ends)
        made = lots.of_source(source)
        assert made is not None
        obj.pk = made.pk
        obj.refresh_from_db()

    @admin.display(description=_("left"), ordering="left_nanos")
    def left(self, row: Lot) -> str:
        return money.show(row.left_nanos)


@admin.register(AutoRecharge)
class AutoRechargeAdmin(RecordAdmin):
    list_display = ("workspace", "enabled", "paused", "failures", "amount_cents", "month_cents")
    list_filter = ("enabled", "paused")
    search_fields = ("workspace__slug",)


@admin.register(RechargeAttempt)
class RechargeAttemptAdmin(RecordAdmin):
    list_display = ("created_at", "workspace", "cents", "state", "payment", "error")
    list_filter = ("state",)
    search_fields = ("workspace__slug", "payment")

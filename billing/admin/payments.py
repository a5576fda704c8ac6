"""Money that came and went: top-ups, invoices, refunds, disputes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from billing.admin.amounts import DollarsField
from billing.admin.records import RecordAdmin
from billing.models import Correction, CreditNote, Dispute, Invoice, Refund, TopUp
from billing.money import NANOS_IN_CENT
from billing.stripe import refunds
from portal.kit.errors import Problem


@admin.register(TopUp)
class TopUpAdmin(RecordAdmin):
    list_display = (
        "created_at",
        "workspace",
        "status",
        "cents",
        "tax_cents",
        "refunded_cents",
        "automatic",
        "stripe_id",
    )
    list_filter = ("status", "automatic")
    search_fields = ("stripe_id", "workspace__slug")
    ordering = ("-created_at",)


@admin.register(Invoice)
class InvoiceAdmin(RecordAdmin):
    list_display = ("number", "workspace", "status", "total_cents", "paid_cents", "refunded_cents", "created_at")
    list_filter = ("status",)
    search_fields = ("stripe_id", "number", "workspace__slug")
    ordering = ("-created_at",)


@admin.register(Correction)
class CorrectionAdmin(RecordAdmin):
    list_display = ("source", "workspace", "cents", "description", "stripe_id", "attempts")
    search_fields = ("source", "workspace__slug")


@admin.register(Dispute)
class DisputeAdmin(RecordAdmin):
    list_display = ("created_at", "workspace", "status", "cents", "reason", "answer_until", "payment")
    list_filter = ("status",)
    search_fields = ("stripe_id", "payment", "workspace__slug")


@admin.register(CreditNote)
class CreditNoteAdmin(RecordAdmin):
    list_display = ("created_at", "workspace", "number", "invoice", "status", "cents", "tax_cents")
    list_filter = ("status",)
    search_fields = ("stripe_id", "number", "workspace__slug")
    ordering = ("-created_at",)


class RefundForm(forms.ModelForm):  # type: ignore[type-arg] # stubs want the model twice
    """Which payment, how much of it, and why. Saving it sends the money back."""

    amount = DollarsField(
        label=_("Amount, in dollars"),
        help_text=_("Of a top-up without tax, which goes back with it; of an invoice with its tax."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = Refund
        fields = ("top_up", "invoice", "reason")

    operator = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("top_up", "invoice"):
            if name in self.fields:
                self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        """Makes the refund, and says beside its field why one is refused."""
        given = super().clean() or {}
        if self.errors:
            return given
        top_up, invoice, nanos = given.get("top_up"), given.get("invoice"), given["amount"]
        if (top_up is None) == (invoice is None):
            raise forms.ValidationError(_("Choose a top-up or an invoice."))
        if nanos % NANOS_IN_CENT:
            self.add_error("amount", _("Use whole cents."))
            return given
        try:
            if top_up is not None:
                self.made = refunds.of_top_up(top_up, nanos // NANOS_IN_CENT, given["reason"], self.operator)
            elif invoice is not None:
                self.made = refunds.of_invoice(invoice, nanos // NANOS_IN_CENT, given["reason"], self.operator)
        except Problem as problem:
            self.add_error("amount", problem.message)
        return given


@admin.register(Refund)
class RefundAdmin(RecordAdmin):
    list_display = ("created_at", "workspace", "top_up", "invoice", "cents", "tax_cents", "state", "made_by", "reason")
    list_filter = ("state",)
    search_fields = ("stripe_id", "workspace__slug", "reason")
    ordering = ("-created_at",)
    form = RefundForm
    autocomplete_fields = ("top_up", "invoice")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("billing.add_refund"))

    def get_fields(self, request: HttpRequest, obj: Refund | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("top_up", "invoice", "amount", "reason")
        return ("workspace", "top_up", "invoice", "cents", "tax_cents", "reason", "made_by", "state", "stripe_id")

    def get_form(self, request: HttpRequest, obj: Refund | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is None:
            form.operator = str(request.user)
        return form

    def save_model(self, request: HttpRequest, obj: Refund, form: RefundForm, change: bool) -> None:
        obj.pk = form.made.pk
        obj.refresh_from_db()

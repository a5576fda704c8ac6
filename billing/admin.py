"""Money in the operators' console. What is a record is read-only: the books are written by the rules alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from billing import money
from billing.models import (
    Account,
    Entry,
    Invoice,
    Lease,
    Lot,
    Plan,
    Price,
    Report,
    Rollup,
    StripeEvent,
    Subscription,
    Transaction,
    UsageEvent,
)  # fmt: skip
from billing.prices import book


class RecordAdmin(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    """For reading only."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("cost"))
    def cost(self, row: Any) -> str:
        return money.show(row.cost_nanos)


@admin.register(Plan)
class PlanAdmin(ModelAdmin):  # type: ignore[misc] # as above
    list_display = ("name", "code", "metered", "active", "position")


@admin.register(Price)
class PriceAdmin(RecordAdmin):
    list_display = ("product", "version", "label", "created_at")
    search_fields = ("product",)

    @admin.display(description=_("price"))
    def label(self, row: Price) -> str:
        return book.label(row.rates)


@admin.register(Subscription)
class SubscriptionAdmin(RecordAdmin):
    list_display = ("workspace", "plan", "state", "period_start", "period_end", "cancel_at_period_end")
    list_filter = ("state", "plan")
    search_fields = ("workspace__slug", "stripe_id")


@admin.register(UsageEvent)
class UsageEventAdmin(RecordAdmin):
    list_display = ("recorded_at", "workspace_id", "model", "protocol", "cost", "funding", "latency_ms", "id")
    list_filter = ("protocol", "funding")
    search_fields = ("id", "request_id", "workspace_id", "model")
    ordering = ("-recorded_at",)


@admin.register(Rollup)
class RollupAdmin(RecordAdmin):
    list_display = ("hour", "workspace_id", "model", "funding", "requests", "cost")
    search_fields = ("workspace_id", "model")
    ordering = ("-hour",)


@admin.register(Account)
class AccountAdmin(RecordAdmin):
    list_display = ("workspace", "kind", "balance")
    list_filter = ("kind",)
    search_fields = ("workspace__slug",)

    @admin.display(description=_("balance"), ordering="balance_nanos")
    def balance(self, row: Account) -> str:
        return money.show(row.balance_nanos)


class EntryInline(TabularInline):  # type: ignore[misc] # as above
    model = Entry
    fields = ("debit", "credit", "amount_nanos")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Transaction)
class TransactionAdmin(RecordAdmin):
    list_display = ("posted_at", "kind", "source", "memo")
    list_filter = ("kind",)
    search_fields = ("source",)
    ordering = ("-posted_at",)
    inlines = (EntryInline,)


@admin.register(Lot)
class LotAdmin(RecordAdmin):
    list_display = ("workspace", "kind", "left", "memo", "created_at", "expires_at")
    list_filter = ("kind",)
    search_fields = ("workspace__slug", "source")

    @admin.display(description=_("left"), ordering="left_nanos")
    def left(self, row: Lot) -> str:
        return money.show(row.left_nanos)


@admin.register(Lease)
class LeaseAdmin(RecordAdmin):
    list_display = ("id", "workspace", "funding", "process", "granted_nanos", "spent_nanos", "opened_at", "closed_at")
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)


@admin.register(Report)
class ReportAdmin(RecordAdmin):
    list_display = ("identifier", "workspace", "value", "state", "attempts", "sent_at", "error")
    list_filter = ("state",)


@admin.register(StripeEvent)
class StripeEventAdmin(RecordAdmin):
    list_display = ("id", "type", "received_at", "handled_at", "attempts", "error")
    list_filter = ("type", ("handled_at", admin.EmptyFieldListFilter))


@admin.register(Invoice)
class InvoiceAdmin(RecordAdmin):
    list_display = ("number", "workspace", "status", "total_cents", "paid_cents", "created_at")
    list_filter = ("status",)
    search_fields = ("number", "workspace__slug")

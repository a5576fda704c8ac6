"""What was said to and heard from Stripe."""

from __future__ import annotations

from django.contrib import admin

from billing.admin.records import RecordAdmin
from billing.models import Invoice, LateUsage, Reconciliation, Report, StripeEvent


@admin.register(Report)
class ReportAdmin(RecordAdmin):
    list_display = ("identifier", "workspace", "value", "state", "attempts", "sent_at", "error")
    list_filter = ("state",)


@admin.register(Reconciliation)
class ReconciliationAdmin(RecordAdmin):
    list_display = ("day", "workspace", "ours", "theirs", "outcome", "corrected", "checked_at", "due_at")
    list_filter = ("outcome",)
    search_fields = ("workspace__slug",)
    ordering = ("-day",)


@admin.register(LateUsage)
class LateUsageAdmin(RecordAdmin):
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

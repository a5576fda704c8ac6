"""Budget lent to processes."""

from __future__ import annotations

from django.contrib import admin

from billing.admin.records import RecordAdmin
from billing.models import Budget, Lease


@admin.register(Lease)
class LeaseAdmin(RecordAdmin):
    list_display = ("id", "workspace", "process", "granted_nanos", "spent_nanos", "opened_at", "closed_at")
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)


@admin.register(Budget)
class BudgetAdmin(RecordAdmin):
    list_display = ("workspace", "key", "member", "period", "limit_nanos", "used_nanos", "stops")
    list_filter = ("stops", "period")

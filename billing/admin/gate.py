"""Budget lent to processes."""

from __future__ import annotations

from django.contrib import admin

from billing.admin.records import RecordAdmin
from billing.models import Lease


@admin.register(Lease)
class LeaseAdmin(RecordAdmin):
    list_display = ("id", "workspace", "funding", "process", "granted_nanos", "spent_nanos", "opened_at", "closed_at")
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)

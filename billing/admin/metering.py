"""What was used."""

from __future__ import annotations

from django.contrib import admin

from billing.admin.records import RecordAdmin
from billing.models import Rollup, UsageEvent


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

"""What was used."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from billing.admin.records import RecordAdmin
from billing.models import Rollup, UsageEvent


@admin.register(UsageEvent)
class UsageEventAdmin(RecordAdmin):
    list_display = ("recorded_at", "workspace_id", "model", "protocol", "cost", "funding", "latency_ms", "id")
    # Only what an index finds among millions.
    list_filter = ("recorded_at",)
    search_fields = ("id__exact", "workspace_id__exact")
    search_help_text = _("the whole id of an event or a workspace")
    sortable_by = ("recorded_at",)
    ordering = ("-recorded_at",)


@admin.register(Rollup)
class RollupAdmin(RecordAdmin):
    list_display = ("hour", "workspace_id", "model", "funding", "requests", "cost")
    list_filter = ("hour",)
    search_fields = ("workspace_id__exact",)
    search_help_text = _("the whole id of a workspace")
    sortable_by = ("hour",)
    ordering = ("-hour",)

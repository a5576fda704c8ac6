"""Plans and who is on them."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin

from billing.admin.records import RecordAdmin
from billing.models import Plan, Subscription


@admin.register(Plan)
class PlanAdmin(ModelAdmin):  # type: ignore[misc] # as above
    list_display = ("name", "code", "metered", "active", "position")


@admin.register(Subscription)
class SubscriptionAdmin(RecordAdmin):
    list_display = ("workspace", "plan", "state", "period_start", "period_end", "cancel_at_period_end")
    list_filter = ("state", "plan")
    search_fields = ("workspace__slug", "stripe_id")

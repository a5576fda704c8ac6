"""Plans, who is on them, and who does not pay."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.admin.amounts import InDollars
from billing.admin.records import RecordAdmin
from billing.models import Overdue, Plan, Subscription


@admin.register(Plan)
class PlanAdmin(InDollars):
    list_display = ("name", "code", "fee", "included", "metered", "active", "position")
    fieldsets = (
        (None, {"fields": ("code", "name", "summary", "active", "position")}),
        (
            _("Money"),
            {"fields": ("base_fee_nanos", "included_nanos", "price_percent", "metered", "spending_limit_nanos")},
        ),
        (_("Limits"), {"fields": ("rpm_percent",)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        return ("code", "metered") if obj else ()  # subscriptions at Stripe are made by these

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        return False  # subscriptions name it: offer it no more

    @admin.display(description=_("base fee"), ordering="base_fee_nanos")
    def fee(self, row: Plan) -> str:
        return money.show(row.base_fee_nanos)

    @admin.display(description=_("included usage"), ordering="included_nanos")
    def included(self, row: Plan) -> str:
        return money.show(row.included_nanos)


@admin.register(Subscription)
class SubscriptionAdmin(RecordAdmin):
    list_display = ("workspace", "plan", "state", "period_start", "period_end", "cancel_at_period_end")
    list_filter = ("state", "plan")
    search_fields = ("workspace__slug", "stripe_id")


@admin.register(Overdue)
class OverdueAdmin(RecordAdmin):
    list_display = ("workspace", "step", "since", "due", "invoice", "ended_at")
    list_filter = ("step", ("ended_at", admin.EmptyFieldListFilter))
    search_fields = ("workspace__slug", "invoice")

    @admin.display(description=_("due"), ordering="due_cents")
    def due(self, row: Overdue) -> str:
        return money.show(row.due_nanos)

"""What was said to and heard from Stripe."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing.admin.records import RecordAdmin
from billing.models import BalanceDay, BalanceTransaction, LateUsage, Reconciliation, Report, StripeEvent
from billing.stripe import sending

MOST_SHOWN = 3  # differences of a day in the list; its page has all


class TellingAdmin(RecordAdmin):
    """What Stripe must be told; what it refused can be told again."""

    list_display = ("identifier", "workspace", "value", "state", "attempts", "sent_at", "error")
    list_filter = ("state",)
    search_fields = ("identifier", "workspace__slug")
    actions = ("tell_again",)

    @admin.action(description=_("Tell Stripe again what it refused"))
    def tell_again(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        count = sending.tell_again(chosen, timezone.now())
        self.message_user(request, ngettext("%d is told again.", "%d are told again.", count) % count)


@admin.register(Report)
class ReportAdmin(TellingAdmin):
    """Usage."""


@admin.register(Reconciliation)
class ReconciliationAdmin(RecordAdmin):
    list_display = ("day", "workspace", "ours", "theirs", "outcome", "corrected", "checked_at", "due_at")
    list_filter = ("outcome",)
    search_fields = ("workspace__slug",)
    ordering = ("-day",)


@admin.register(BalanceDay)
class BalanceDayAdmin(RecordAdmin):
    list_display = (
        "day",
        "ours_cents",
        "theirs_cents",
        "fees_cents",
        "transactions",
        "outcome",
        "differences",
        "checked_at",
        "due_at",
    )
    list_filter = ("outcome",)
    ordering = ("-day",)

    @admin.display(description=_("differences"))
    def differences(self, row: BalanceDay) -> str:
        return " · ".join(row.found[:MOST_SHOWN])


@admin.register(BalanceTransaction)
class BalanceTransactionAdmin(RecordAdmin):
    list_display = ("created_at", "type", "purpose", "cause", "cents", "fee_cents", "on_its_way", "stripe_id")
    list_filter = ("purpose", "type")
    search_fields = ("stripe_id", "cause")
    ordering = ("-created_at",)


@admin.register(LateUsage)
class LateUsageAdmin(TellingAdmin):
    """Usage that came late."""


@admin.register(StripeEvent)
class StripeEventAdmin(RecordAdmin):
    list_display = ("id", "type", "received_at", "handled_at", "attempts", "error")
    list_filter = ("type", ("handled_at", admin.EmptyFieldListFilter))

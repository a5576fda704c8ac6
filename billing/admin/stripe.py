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
from billing.models import LateUsage, Reconciliation, Report, StripeEvent
from billing.stripe import sending


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


@admin.register(LateUsage)
class LateUsageAdmin(TellingAdmin):
    """Usage that came late."""


@admin.register(StripeEvent)
class StripeEventAdmin(RecordAdmin):
    list_display = ("id", "type", "received_at", "handled_at", "attempts", "error")
    list_filter = ("type", ("handled_at", admin.EmptyFieldListFilter))

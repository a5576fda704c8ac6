"""Promises about models."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from billing import money
from billing.admin.records import RecordAdmin
from billing.models import Day, Objective
from billing.objectives.forms import ObjectiveForm


@admin.register(Objective)
class ObjectiveAdmin(RecordAdmin):
    list_display = ("model", "starts_on", "uptime_bp", "p95_ms", "empty_bp", "credit_bp")
    search_fields = ("model",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return ModelAdmin.has_add_permission(self, request)  # type: ignore[no-any-return] # unfold publishes no types

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, form=ObjectiveForm, **kwargs)


@admin.register(Day)
class DayAdmin(RecordAdmin):
    list_display = ("objective", "day", "requests", "failed", "empty", "p95_ms", "broken", "credited")
    list_filter = (("broken", admin.EmptyFieldListFilter),)
    ordering = ("-day",)

    @admin.display(description=_("credited"), ordering="credited_nanos")
    def credited(self, row: Day) -> str:
        return money.show(row.credited_nanos)

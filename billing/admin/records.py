"""What is a record is read-only: the books are written by the rules alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from billing import money


class RecordAdmin(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    """For reading only."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("cost"))
    def cost(self, row: Any) -> str:
        return money.show(row.cost_nanos)

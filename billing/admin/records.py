"""What is a record is read-only: the books are written by the rules alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from billing import money

MOST_COUNTED = 10_000  # rows; who looks for older ones filters


class Uncounted(Paginator):  # type: ignore[type-arg] # generic in its stubs only
    """Pages of a table of any size: rows are counted only as far as the pages go."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment] # the console pages through queries alone
        return rows[:MOST_COUNTED].count()


class RecordAdmin(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    """For reading only."""

    show_full_result_count = False
    paginator = Uncounted

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("cost"))
    def cost(self, row: Any) -> str:
        return money.show(row.cost_nanos)

"""What is a record is read-only: the books are written by the rules alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from billing import money
from billing.money import NANOS_IN_CENT

MOST_COUNTED = 10_000  # rows; who looks for older ones filters


class Uncounted(Paginator):  # type: ignore[type-arg] # generic in its stubs only
    """Pages of a table of any size: rows are counted only as far as the pages go."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment] # the console pages through queries alone
        return rows[:MOST_COUNTED].count()


def in_dollars(model: type[Model], name: str) -> Callable[[Any], str] | None:
    """How a column of cents or nano-dollars is shown to people; None for any other."""
    unit = NANOS_IN_CENT if name.endswith("cents") else 1
    if unit == 1 and not name.endswith("_nanos"):
        return None

    @admin.display(description=str(label_for_field(name, model)), ordering=name)
    def amount(row: Any) -> str:
        return money.show(getattr(row, name) * unit)

    return amount


class RecordAdmin(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    """For reading only; amounts are in dollars."""

    show_full_result_count = False
    paginator = Uncounted

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._readable(name) for name in super().get_list_display(request)]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        found: list[Any] = super().get_fieldsets(request, obj)
        if obj is None:
            return found
        return [(title, {**of, "fields": [self._readable(name) for name in of["fields"]]}) for title, of in found]

    def _readable(self, name: Any) -> Any:
        return isinstance(name, str) and in_dollars(self.model, name) or name

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("cost"))
    def cost(self, row: Any) -> str:
        return money.show(row.cost_nanos)

"""Prices, read-only: a change is the next version."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from billing.admin.records import RecordAdmin
from billing.models import Price
from billing.prices import book


@admin.register(Price)
class PriceAdmin(RecordAdmin):
    list_display = ("product", "version", "label", "created_at")
    search_fields = ("product",)

    @admin.display(description=_("price"))
    def label(self, row: Price) -> str:
        return book.label(row.rates)

"""Prices, read-only: a change is the next version."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from billing.admin.records import RecordAdmin
from billing.models import Price
from billing.prices import book


@admin.register(Price)
class PriceAdmin(RecordAdmin):
    list_display = ("product", "version", "label", "starts_at", "workspace_id", "created_at")
    list_before_template = "admin/_price_book_link.html"
    search_fields = ("product", "workspace_id")
    list_filter = (("workspace_id", admin.EmptyFieldListFilter),)

    @admin.display(description=_("price"))
    def label(self, row: Price) -> str:
        return book.label(row.scheme)

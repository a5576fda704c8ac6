"""The book."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from billing import money
from billing.admin.records import RecordAdmin
from billing.models import Account, Entry, Transaction


@admin.register(Account)
class AccountAdmin(RecordAdmin):
    list_display = ("workspace", "kind", "balance")
    list_filter = ("kind",)
    search_fields = ("workspace__slug",)

    @admin.display(description=_("balance"), ordering="balance_nanos")
    def balance(self, row: Account) -> str:
        return money.show(row.balance_nanos)


class EntryInline(TabularInline):  # type: ignore[misc] # as above
    model = Entry
    fields = ("debit", "credit", "amount_nanos")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Transaction)
class TransactionAdmin(RecordAdmin):
    list_display = ("posted_at", "kind", "source", "memo")
    list_filter = ("kind",)
    search_fields = ("source",)
    ordering = ("-posted_at",)
    inlines = (EntryInline,)

"""The catalog in the operators' console."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from billing.prices import book
from marketplace.models import Model, Run, Version
from marketplace.training import runs


@admin.register(Model)
class ModelAdminPage(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    list_display = ("slug", "title", "task", "visibility", "live_version", "price_label", "created_at")
    list_filter = ("task", "visibility")
    search_fields = ("name", "title", "publisher__slug")
    list_select_related = ("publisher", "live_version__model__publisher", "price")
    readonly_fields = ("id", "publisher", "name", "task", "price", "live_version", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # `manage.py add_model` inspects what it adds

    @admin.display(description=_("price"))
    def price_label(self, row: Model) -> str:
        return book.label(row.price.rates if row.price else {})


class ReadOnly(ModelAdmin):  # type: ignore[misc] # as above
    """For reading only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Version)
class VersionAdmin(ReadOnly):
    list_display = ("model", "number", "engine", "source", "created_at")
    list_filter = ("engine",)
    search_fields = ("model__name",)


@admin.register(Run)
class RunAdmin(ReadOnly):
    list_display = ("model", "recipe", "state", "attempts", "started_at", "ended_at", "error")
    list_filter = ("state", "recipe")
    actions = ("train_again",)

    @admin.action(description=_("Train again"))
    def train_again(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        for run in queryset:
            runs.queue(run.model, run.recipe, run.dataset, run.params)

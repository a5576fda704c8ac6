"""Replicas in the operators' console: added, drained and removed while requests run."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from inference.models import Figures, Replica
from inference.routing import figures, replicas


@admin.register(Replica)
class ReplicaAdmin(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    list_display = ("version", "target", "engine", "state", "created_at")
    list_filter = ("state",)
    list_select_related = ("version__model__publisher",)
    autocomplete_fields = ("version",)
    actions = ("activate", "drain", "remove")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # figures and usage refer to it

    @admin.action(description=_("Take work again"))
    def activate(self, request: HttpRequest, queryset: QuerySet[Replica]) -> None:
        for replica in queryset.select_related("version"):
            replicas.add(replica.version, replica.target, replica.engine)

    @admin.action(description=_("Drain"))
    def drain(self, request: HttpRequest, queryset: QuerySet[Replica]) -> None:
        for replica in queryset:
            replicas.drain(replica)

    @admin.action(description=_("Remove"))
    def remove(self, request: HttpRequest, queryset: QuerySet[Replica]) -> None:
        for replica in queryset:
            replicas.remove(replica)


@admin.register(Figures)
class FiguresAdmin(ModelAdmin):  # type: ignore[misc] # as above
    list_display = ("model", "replica", "since", "served", "failed", "missed", "half_below_ms", "most_below_ms")
    search_fields = ("model",)
    date_hierarchy = "since"

    @admin.display(description="p50 (ms)")
    def half_below_ms(self, row: Figures) -> str:
        return f"{figures.percentile(row.latencies, 0.5) or 0:.1f}"

    @admin.display(description="p99 (ms)")
    def most_below_ms(self, row: Figures) -> str:
        return f"{figures.percentile(row.latencies, 0.99) or 0:.1f}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

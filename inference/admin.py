"""Replicas in the operators' console."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin

from inference.models import Replica


@admin.register(Replica)
class ReplicaAdmin(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    list_display = ("version", "target", "state", "created_at")
    list_filter = ("state",)

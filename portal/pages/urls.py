"""The roof's pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from portal.pages import probes

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
]

"""The roof's pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from portal.pages import docs, home, keys, probes, status

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("keys", keys.keys, name="keys"),
    path("keys/<str:key_id>/revoke", keys.revoke_key, name="revoke_key"),
    path("docs", docs.docs, name="docs"),
    path("status", status.status, name="status"),
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
]

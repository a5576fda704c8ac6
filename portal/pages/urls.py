"""The roof's pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from portal.pages import docs, home, keys, keys_api, openapi, probes, status

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("keys", keys.keys, name="keys"),
    path("keys/<str:key_id>", keys.key, name="key"),
    path("keys/<str:key_id>/rotate", keys.rotate_key, name="rotate_key"),
    path("keys/<str:key_id>/revoke", keys.revoke_key, name="revoke_key"),
    path("v1/key", keys_api.OwnKey.as_view(), name="api_own_key"),
    path("v1/keys", keys_api.Keys.as_view(), name="api_keys"),
    path("v1/keys/<str:key_id>", keys_api.OneKey.as_view(), name="api_key"),
    path("v1/keys/<str:key_id>/rotate", keys_api.RotateKey.as_view(), name="api_rotate_key"),
    path("v1/tokens", keys_api.Tokens.as_view(), name="api_tokens"),
    path("docs/api", openapi.reference, name="api_reference"),
    path("openapi.json", openapi.openapi, name="openapi"),
    path("docs", docs.docs, name="docs"),
    path("status", status.status, name="status"),
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
]

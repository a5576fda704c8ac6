"""A person's own pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from portal.accounts import pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("settings", pages.settings_page, name="settings"),
    path("settings/workspace", pages.switch_workspace, name="switch_workspace"),
    path("dev/mailbox", pages.mailbox, name="mailbox"),
]

"""Every address of the portal; each room lists its own."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.i18n import JavaScriptCatalog, set_language

from inference.api.nowhere import Nowhere

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("inference.urls")),
    path("", include("marketplace.urls")),
    path("", include("billing.urls")),
    path("", include("portal.accounts.urls")),
    path("", include("portal.pages.urls")),
    path("accounts/", include("allauth.urls")),
    path("i18n/setlang/", set_language, name="set_language"),
    path("i18n/strings.js", JavaScriptCatalog.as_view(), name="javascript_catalog"),
    path("admin/", include("portal.pages.console_urls")),
    path("admin/", admin.site.urls),
    re_path(r"^v[12](?:/.*)?$", Nowhere.as_view(), name="api_nowhere"),  # what no room's interface has
]
handler500 = "portal.pages.problems.failure"

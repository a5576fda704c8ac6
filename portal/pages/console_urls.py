"""Pages of the operators' console that need several rooms; the console's own guard stands before each."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from portal.pages import price_book

guarded = admin.site.admin_view
urlpatterns: list[URLPattern | URLResolver] = [
    path("price-book/", guarded(price_book.price_book), name="price_book"),
    path("price-book/draft/", guarded(price_book.draft), name="price_draft"),
    path("price-book/draft/schedule/", guarded(price_book.schedule), name="price_schedule"),
    path("price-book/withdraw/<str:price_id>/", guarded(price_book.withdraw), name="price_withdraw"),
    path("price-book/models/<str:publisher>/<str:name>/", guarded(price_book.model_price), name="price_model"),
    path("price-book/models/<str:publisher>/<str:name>/drop/", guarded(price_book.drop), name="price_drop"),
    path(
        "price-book/models/<str:publisher>/<str:name>/end/<str:workspace>/",
        guarded(price_book.end_own),
        name="price_end",
    ),
]

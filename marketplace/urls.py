"""The catalog's pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from marketplace.catalog import compare_pages, pages
from marketplace.training import pages as training_pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("billing/compare", compare_pages.compare_page, name="billing_compare"),
    path("models", pages.catalog, name="catalog"),
    path("models/<str:publisher>/<str:name>", pages.model, name="model"),
    path("models/<str:publisher>/<str:name>/state", pages.model_state, name="model_state"),
    path("models/<str:publisher>/<str:name>/train", training_pages.train, name="model_train"),
    path("models/<str:publisher>/<str:name>/card", pages.model_row, name="model_card"),
]

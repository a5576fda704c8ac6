"""The catalog's pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from marketplace.catalog import choosing_pages, compare_pages, pages, search_pages, version_pages
from marketplace.catalog.feed import NewModels
from marketplace.collections import pages as collection_pages
from marketplace.publishers import own_pages, public_pages
from marketplace.publishers import pages as publisher_pages
from marketplace.publishing import evidence_pages, submission_pages
from marketplace.recommending import pages as recommending_pages
from marketplace.reviews import pages as review_pages
from marketplace.training import dataset_pages, grid_pages, run_pages
from marketplace.training import pages as training_pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("billing/compare", compare_pages.compare_page, name="billing_compare"),
    path("models", search_pages.catalog, name="catalog"),
    path("models/compare", choosing_pages.compare, name="models_compare"),
    path("models/suggested", recommending_pages.suggested, name="models_suggested"),
    path("models/feed.xml", NewModels(), name="models_feed"),
    path("models/leaderboard", choosing_pages.leaderboard, name="leaderboard"),
    path("models/<str:publisher>", public_pages.publisher, name="publisher_public"),
    path("models/<str:publisher>/<str:name>", pages.model, name="model"),
    path("models/<str:publisher>/<str:name>/state", pages.model_state, name="model_state"),
    path("models/<str:publisher>/<str:name>/train", training_pages.train, name="model_train"),
    path("models/<str:publisher>/<str:name>/versions", version_pages.versions, name="model_versions"),
    path("models/<str:publisher>/<str:name>/keep", collection_pages.keep, name="model_keep"),
    path("models/<str:publisher>/<str:name>/reviews", review_pages.reviews, name="model_reviews"),
    path("models/<str:publisher>/<str:name>/reviews/remove", review_pages.remove, name="model_unreview"),
    path("models/<str:publisher>/<str:name>/evidence", evidence_pages.model_evidence, name="model_evidence"),
    path("publisher/submit", submission_pages.submit, name="submit"),
    path("publisher/submit/uploads", submission_pages.begin, name="submit_upload"),
    path("publisher/submissions/<str:submission_id>", submission_pages.submission, name="submission"),
    path("publisher/submissions/<str:submission_id>/content", submission_pages.content, name="submission_content"),
    path("publisher/submissions/<str:submission_id>/publish", submission_pages.publish, name="submission_publish"),
    path("publisher/submissions/<str:submission_id>/withdraw", submission_pages.withdraw, name="submission_withdraw"),
    path("models/<str:publisher>/<str:name>/used-with", recommending_pages.used_with_model, name="model_used_with"),
    path("collections", collection_pages.collections, name="collections"),
    path("collections/<str:collection_id>", collection_pages.collection, name="collection"),
    path("collections/<str:collection_id>/share", collection_pages.share, name="collection_share"),
    path("collections/<str:collection_id>/delete", collection_pages.delete, name="collection_delete"),
    path("models/<str:publisher>/<str:name>/preview.png", pages.model_preview, name="model_preview"),
    path("models/<str:publisher>/<str:name>/card", pages.model_row, name="model_card"),
    path("publisher/apply", publisher_pages.apply, name="publisher_apply"),
    path("publisher/apply/withdraw", publisher_pages.withdraw, name="publisher_withdraw"),
    path("publisher/about", publisher_pages.describe, name="publisher_describe"),
    path("publisher/terms", publisher_pages.terms_page, name="publisher_terms"),
    path("publisher/terms/accept", publisher_pages.accept, name="publisher_accept"),
    path("publisher/models", own_pages.models, name="publisher_models"),
    path("publisher/models/<str:name>", own_pages.model, name="publisher_model"),
    path("publisher/models/<str:name>/card", own_pages.card, name="publisher_card"),
    path("publisher/models/<str:name>/price", own_pages.price, name="publisher_price"),
    path(
        "publisher/models/<str:name>/price/<str:price_id>/withdraw",
        own_pages.withdraw_price,
        name="publisher_withdraw_price",
    ),
    path("publisher/models/<str:name>/shares", own_pages.shares, name="publisher_shares"),
    path("publisher/models/<str:name>/retire", own_pages.retire, name="publisher_retire"),
    path("publisher/models/<str:name>/retire/<int:retirement_id>/stay", own_pages.stay, name="publisher_stay"),
    path("training", dataset_pages.training, name="training"),
    path("training/samples", dataset_pages.add_sample, name="training_sample"),
    path("training/uploads", dataset_pages.begin, name="training_upload"),
    path("training/datasets/<str:dataset_id>", dataset_pages.dataset, name="dataset"),
    path("training/datasets/<str:dataset_id>/content", dataset_pages.content, name="dataset_content"),
    path("training/datasets/<str:dataset_id>/delete", dataset_pages.delete, name="dataset_delete"),
    path("training/datasets/<str:dataset_id>/train", run_pages.train, name="dataset_train"),
    path("training/datasets/<str:dataset_id>/search", grid_pages.begin, name="dataset_search"),
    path("training/searches/<str:search_id>", grid_pages.search, name="training_search"),
    path("training/searches/<str:search_id>/cancel", grid_pages.cancel, name="training_search_cancel"),
    path("training/runs/<str:run_id>", run_pages.run, name="run"),
    path("training/runs/<str:run_id>/cancel", run_pages.cancel, name="run_cancel"),
    path("training/runs/<str:run_id>/canary", run_pages.end_canary, name="run_canary"),
    path("training/runs/<str:run_id>/publish", run_pages.publish, name="run_publish"),
]

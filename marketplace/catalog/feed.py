"""/models/feed.xml: the newest public models, as RSS; ?task= and ?q= choose among them, as in the catalog."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.syndication.views import Feed
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from marketplace.catalog.models import Model
from marketplace.catalog.search import Query, search
from marketplace.catalog.search_pages import address, asked
from marketplace.catalog.visibility import ANYBODY
from marketplace.tasks import registry

MOST = 50


class NewModels(Feed):  # type: ignore[type-arg] # generic for the type checker only
    """Of what everybody may call."""

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Query:
        query = asked(request)
        return Query(query.words, query.chosen, "newest", live=True)

    def title(self, query: Query) -> str:
        return " · ".join([_("New models"), *([query.words] if query.words else []), "Mercato"])

    def link(self, query: Query) -> str:
        return address(query)

    def feed_url(self, query: Query) -> str:
        return address(query).replace(reverse("catalog"), reverse("models_feed"), 1)

    def description(self, query: Query) -> str:
        return _("Models that were released lately.")

    def items(self, query: Query) -> list[Model]:
        return search(query, ANYBODY, count=MOST, counted=False).models

    def item_title(self, item: Model) -> str:
        return item.title

    def item_description(self, item: Model) -> str:
        return item.summary

    def item_link(self, item: Model) -> str:
        return reverse("model", args=[item.publisher.slug, item.name])

    def item_guid(self, item: Model) -> str:
        return item.pk

    item_guid_is_permalink = False

    def item_pubdate(self, item: Model) -> datetime:
        return item.created_at

    def item_author_name(self, item: Model) -> str:
        return item.publisher.slug

    def item_categories(self, item: Model) -> list[str]:
        return [_(registry.get(item.task).title)]

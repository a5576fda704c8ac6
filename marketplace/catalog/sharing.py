"""What a link shows where it is shared: words, and the picture of the first model on the page that everybody may see."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest
from django.urls import reverse

from marketplace.catalog.models import Model, Visibility


def shared(request: HttpRequest, title: str, description: str, models: Iterable[Model]) -> dict[str, str]:
    """For `marketplace/catalog/_shared.html`; `preview` is blank where no model is everybody's."""
    first = next((model for model in models if model.visibility == Visibility.PUBLIC), None)
    picture = reverse("model_preview", args=[first.publisher.slug, first.name]) if first else ""
    return {
        "title": title,
        "description": description,
        "address": request.build_absolute_uri(),
        "preview": request.build_absolute_uri(picture) if picture else "",
        "alt": f"{first.title} ({first.slug})" if first else "",
    }

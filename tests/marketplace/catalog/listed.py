"""Models for a catalog to be searched."""

from __future__ import annotations

from typing import Any

from billing.prices import publishing
from marketplace.catalog.listings import relist
from marketplace.catalog.models import Model
from marketplace.catalog.search import Found, Query, search
from marketplace.catalog.versions import publish
from marketplace.catalog.visibility import Reader
from marketplace.tasks.task import ModelSpec
from portal.accounts.models import Workspace


def shop(slug: str = "acme") -> Workspace:
    return Workspace.objects.get_or_create(slug=slug, defaults={"name": slug.title()})[0]


def model(
    name: str, task: str = "tensor", *, publisher: str = "acme", usd_nanos: int | None = None, **fields: Any
) -> Model:
    """A live model; `metrics` and `context` are its version's, `usd_nanos` the price of a request."""
    metrics, context = fields.pop("metrics", None), fields.pop("context", None)
    fields.setdefault("title", name.replace("-", " ").title())
    made = Model.objects.create(publisher=shop(publisher), name=name, task=task, **fields)
    if usd_nanos is not None:
        publishing.publish(made.pk, {"request": usd_nanos * 10**6}, confirmed=True)
    publish(made, engine="oip", source="http://127.0.0.1:9", spec=ModelSpec(context_length=context), metrics=metrics)
    made.refresh_from_db()
    relist(made.pk)
    return made


def found(words: str = "", sort: str = "relevance", workspace_id: str | None = None, **chosen: list[str]) -> Found:
    return search(Query(words, chosen, sort), Reader(workspace_id or ""))


def names(words: str = "", sort: str = "relevance", workspace_id: str | None = None, **chosen: list[str]) -> list[str]:
    return [one.name for one in found(words, sort, workspace_id, **chosen).models]

"""Lists in pages, as OpenAI's SDK turns them: `limit` and `after`, the id of the last one seen; `has_more` in the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import Model as Row
from django.db.models import Q, QuerySet

from inference.api.view import FieldInvalid

T = TypeVar("T", bound=Row)


def limit_of(query: Mapping[str, str], default: int, most: int) -> int:
    """How many a page shall have. Raises FieldInvalid."""
    said = query.get("limit")
    if said is None:
        return default
    if not said.isdecimal() or len(said) > 9 or not 1 <= int(said) <= most:
        raise FieldInvalid(f"limit is a number from 1 to {most}.", param="limit")
    return int(said)


def page(rows: QuerySet[T] | Sequence[T], limit: int, shown: Callable[[T], Mapping[str, Any]]) -> dict[str, Any]:
    """The first `limit` of the rows, and whether there are more."""
    found = list(rows[: limit + 1])
    data = [shown(row) for row in found[:limit]]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return {"object": "list", "data": data, **ends, "has_more": len(found) > limit}


def by_time(rows: QuerySet[T], query: Mapping[str, str]) -> QuerySet[T]:
    """The rows that come after `after` in the `order` that is asked for: newest first, or `asc`. Raises FieldInvalid."""
    order, after = query.get("order", "desc"), query.get("after")
    if order not in ("asc", "desc"):
        raise FieldInvalid("order is asc or desc.", param="order")
    if after:
        last = rows.filter(pk=after).values_list("created_at", flat=True).first()
        if last is None:
            raise FieldInvalid("after is the id of the last one of the page before.", param="after")
        beyond = "gt" if order == "asc" else "lt"
        rows = rows.filter(Q(**{f"created_at__{beyond}": last}) | Q(created_at=last, **{f"pk__{beyond}": after}))
    return rows.order_by("created_at", "pk") if order == "asc" else rows.order_by("-created_at", "-pk")

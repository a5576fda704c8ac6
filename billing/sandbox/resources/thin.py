"""Thin events of the second API: what is delivered names the event, what is fetched tells it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from billing.sandbox.params import Params, accept
from billing.sandbox.store import Object, Store

KIND = "v2.core.event"
WHERE = {"billing.meter": "/v1/billing/meters/", "v2.core.account": "/v2/core/accounts/"}


def moment(seconds: int) -> str:
    """A time as the second API writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def emit(store: Store, type: str, related: Object | None, data: dict[str, Any]) -> Object:
    """An event, to be delivered to the endpoint for thin ones."""
    about = related and {
        "id": related["id"],
        "type": related["object"],
        "url": f"{WHERE[related['object']]}{related['id']}",
    }
    body = {
        "type": type,
        "created": moment(store.now()),
        "context": None,
        "related_object": about,
        "reason": None,
        "data": data,
    }
    event = store.create(KIND, "evt_test", body)
    store.sql("INSERT INTO deliveries (event, next_at) VALUES (?, 0)", event["id"])
    return event


def retrieve(store: Store, given: Params, id: str) -> Object:
    accept(given, ())
    return store.get(KIND, id)


def notification(event: Object) -> Object:
    """What is delivered: the event without its data."""
    return {key: value for key, value in event.items() if key != "data"}

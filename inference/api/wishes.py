"""What a caller may ask of any call, in headers or, where the body is a JSON object, beside its fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from billing import money
from billing.errors import MoneyInvalid
from billing.prices import firm
from inference.call import NONE, Wishes
from portal.kit.errors import Problem

_HEADERS = (
    "HTTP_X_MAX_COST", "HTTP_X_FALLBACK_MODELS", "HTTP_X_ON_DISCONNECT", "HTTP_X_QUOTE_ID", "HTTP_X_OPERATION_ID",
    "HTTP_X_TEST_FAULT", "HTTP_IDEMPOTENCY_KEY",
)  # fmt: skip
FIELDS = ("max_cost", "fallback_models", "on_disconnect", "quote_id")
MOST_FALLBACKS = 5
_OURS = re.compile(r"(pred|batch)_|[0-9a-f]{64}$")  # operations of which we bill one attempt only


class WishInvalid(Problem):
    """A wish that cannot be read."""

    status = 422
    code = "input_invalid"


def wishes_of(meta: Mapping[str, Any], body: Any) -> Wishes:
    """The wishes; those in the body are taken out of it, since they are not the model's. Raises WishInvalid, QuoteInvalid."""
    said = {name: body.pop(name) for name in FIELDS if name in body} if isinstance(body, dict) else {}
    if not said and not any(header in meta for header in _HEADERS):
        return NONE
    fallbacks = said.get("fallback_models", meta.get("HTTP_X_FALLBACK_MODELS", ""))
    if isinstance(fallbacks, str):
        fallbacks = [name.strip() for name in fallbacks.split(",") if name.strip()]
    if not isinstance(fallbacks, list) or len(fallbacks) > MOST_FALLBACKS or not all(map(_is_text, fallbacks)):
        raise WishInvalid(f"fallback_models are at most {MOST_FALLBACKS} models.", param="/fallback_models")
    gone = said.get("on_disconnect", meta.get("HTTP_X_ON_DISCONNECT", "cancel"))
    if gone not in ("cancel", "finish"):
        raise WishInvalid("on_disconnect is cancel or finish.", param="/on_disconnect")
    quote_id = str(said.get("quote_id", meta.get("HTTP_X_QUOTE_ID", "")))
    operation = str(meta.get("HTTP_IDEMPOTENCY_KEY") or meta.get("HTTP_X_OPERATION_ID", ""))
    if _OURS.match(operation) and "HTTP_IDEMPOTENCY_KEY" not in meta:
        raise WishInvalid(
            "x-operation-id: names like this one are given by us, choose another.", param="x-operation-id"
        )
    return Wishes(
        most_nanos=_nanos(said.get("max_cost", meta.get("HTTP_X_MAX_COST"))),
        fallbacks=tuple(fallbacks),
        finish=gone == "finish",
        quote=firm.read(quote_id) if quote_id else None,
        operation_id=operation[:64],
        fault=str(meta.get("HTTP_X_TEST_FAULT", "")),
    )


def _nanos(amount: Any) -> int | None:
    if amount is None:
        return None
    try:
        return money.parse(amount)
    except MoneyInvalid as error:
        raise WishInvalid(f"max_cost: {error.message}", param="/max_cost") from error


def _is_text(value: Any) -> bool:
    return isinstance(value, str)

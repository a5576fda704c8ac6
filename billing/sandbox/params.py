"""Form bodies as Stripe's clients send them: a[b][0]=c. Unknown parameters are refused, as Stripe does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any
from urllib.parse import parse_qsl

from billing.sandbox.errors import StripeError

Params = dict[str, Any]
_KEY = re.compile(r"\[([^\]]*)\]")


def decode(text: str) -> Params:
    """The nested parameters of a form body or query."""
    found: Params = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        head, _, rest = key.partition("[")
        if not head or head.isdecimal():
            raise StripeError(f"Invalid parameter: {key}", "parameter_invalid", key)
        path = [head, *_KEY.findall("[" + rest)] if rest else [head]
        place = found
        for part in path[:-1]:
            part = part or str(len(place))
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise StripeError(f"Invalid parameter: {key}", "parameter_invalid", key)
        place[path[-1] or str(len(place))] = value
    listed = _lists(found)
    assert isinstance(listed, dict)
    return listed


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(one) for key, one in value.items()}
    if inner and all(key.isdecimal() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def accept(given: Params, known: Iterable[str], required: Iterable[str] = ()) -> None:
    """Raises StripeError for a parameter that is unknown or missing.

    `a.b` names a parameter inside another or inside each of a list. A name that ends is of a text, a number or a boolean,
    or of what HASHES and ARRAYS say.
    """
    tree: Params = {"expand": {}}
    for name in (*known, *required):
        place = tree
        for part in name.split("."):
            place = place.setdefault(part, {})
    _check(given, tree, "")
    for name in required:
        found: Any = given
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found in (None, "", [], {}):
            name = name.replace(".", "[", 1).replace(".", "][") + ("]" if "." in name else "")
            raise StripeError(f"Missing required param: {name}.", "parameter_missing", name)


def _check(given: Params, tree: Params, within: str) -> None:
    for key, value in given.items():
        name = f"{within}[{key}]" if within else key
        if key not in tree:
            raise StripeError(f"Received unknown parameter: {name}", "parameter_unknown", name)
        _check_shape(key, value, bool(tree[key]), name)
        for at, one in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(one, dict) and tree[key]:
                _check(one, tree[key], f"{name}[{at}]" if isinstance(value, list) else name)


def _check_shape(key: str, value: Any, has_inner: bool, name: str) -> None:
    if value is None or value == "" or (key in EITHER and not isinstance(value, list)):
        return
    if key in ARRAYS:
        fits, kind = isinstance(value, list), "array"
        if has_inner and fits:
            fits = all(isinstance(one, dict) for one in value)
        elif fits:
            fits = not any(isinstance(one, (dict, list)) for one in value)
    elif has_inner or key in HASHES:
        fits, kind = isinstance(value, dict), "object"
    else:
        fits, kind = not isinstance(value, (dict, list)), "string"
    if not fits:
        raise StripeError(f"Invalid {kind}", f"parameter_invalid_{kind}", name)


# What is not one value where no parameter inside it is named, and what is many.
HASHES = {
    "account_onboarding", "account_update", "billing_details", "business_details", "cancellation_details", "defaults", "identity",
    "individual", "metadata", "payload", "profile", "shipping", "use_case",
}  # fmt: skip
ARRAYS = {
    "allow_redisplay_filters", "applied_configurations", "expand", "ids", "images", "include", "items", "line_items", "lines",
    "locales", "lookup_keys", "preferred_locales", "refunds", "tax_id_data", "types",
}  # fmt: skip
EITHER = {"created"}
MOST = 10**15 - 1
LATEST = 253_402_300_799  # the last second of the year 9999
PAGE = ("limit", "starting_after", "ending_before")
LIST = (*PAGE, "created")
Act = Callable[..., Any]


def takes(*known: str, required: Iterable[str] = ()) -> Callable[[Act], Act]:
    """Has an act refuse other parameters than these, and be asked which it takes (`act.known`, `act.required`)."""

    def wrap(act: Act) -> Act:
        @wraps(act)
        def checked(store: Any, given: Params, *rest: Any, **more: Any) -> Any:
            accept(given, known, required)
            return act(store, given, *rest, **more)

        checked.known, checked.required = known, tuple(required)  # type: ignore[attr-defined] # read by the tests
        return checked

    return wrap


def whole(given: Params, name: str, default: int | None = None) -> int:
    """A whole number of at most 15 digits."""
    text = given.get(name, default)
    try:
        number = int(text)  # type: ignore[arg-type] # None and words fail alike
    except (TypeError, ValueError):
        number = MOST + 1
    if abs(number) > MOST:
        raise StripeError(f"Invalid integer: {text}", "parameter_invalid_integer", name)
    return number


def moment(given: Params, name: str, default: int | None = None) -> int:
    """A time, in seconds since 1970."""
    at = whole(given, name, default)
    if not 0 <= at <= LATEST:
        raise StripeError(f"Invalid timestamp: {at}", "parameter_invalid_integer", name)
    return at


def truth(given: Params, name: str, default: bool = False) -> bool:
    """A boolean."""
    return str(given.get(name, default)).lower() == "true"


def cents(given: Params, name: str, least: int = 1) -> int:
    """An amount in whole cents: at least `least`, and at most Stripe's $999,999.99."""
    amount = whole(given, name)
    if amount < least:
        message = (
            f"Invalid positive integer: {amount}" if least <= 1 else f"Amount must be at least ${least / 100:.2f} usd"
        )
        raise StripeError(message, "parameter_invalid_integer" if least <= 1 else "amount_too_small", name)
    if amount > 99_999_999:
        raise StripeError("Amount must be no more than $999,999.99", "amount_too_large", name)
    return amount


def dollars(given: Params, name: str = "currency") -> str:
    """The currency. The sandbox's account has US dollars only."""
    currency = str(given.get(name, "usd")).lower()
    if currency != "usd":
        raise StripeError(f"Invalid currency: {currency}. This account supports usd.", param=name)
    return currency


def merged(metadata: Params, given: Params) -> Params:
    """Metadata with what is given; an empty value unsets its key, and empty metadata all of them."""
    if given.get("metadata") == "":
        return {}
    return {key: value for key, value in {**metadata, **given.get("metadata", {})}.items() if value != ""}


def days(given: Params, name: str) -> int:
    """A number of days, at most ten years."""
    number = whole(given, name)
    if not 0 <= number <= 3650:
        raise StripeError(f"Invalid number of days: {number}", "parameter_invalid_integer", name)
    return number

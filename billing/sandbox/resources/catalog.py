"""Products and prices."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, Params, dollars, merged, takes, truth, whole
from billing.sandbox.store import Object, Store

PRODUCT = ("description", "metadata", "active", "unit_label", "tax_code", "images", "statement_descriptor", "url")
PRODUCT_DATA = ("name", "description", "metadata", "tax_code", "images", "unit_label")
PRICE_DATA = (
    "currency", "product", "unit_amount", "unit_amount_decimal", "tax_behavior", "recurring.interval",
    "recurring.interval_count", *(f"product_data.{name}" for name in PRODUCT_DATA),
)  # fmt: skip
PRICE = (
    "unit_amount", "unit_amount_decimal", "recurring.interval", "recurring.usage_type", "recurring.meter",
    "recurring.interval_count", "billing_scheme", "tax_behavior", "lookup_key", "transfer_lookup_key", "nickname",
    "metadata", "active", "product", "product_data.name", "product_data.metadata", "product_data.tax_code",
    "product_data.unit_label",
)  # fmt: skip


@takes("id", *PRODUCT, required=("name",))
def create_product(store: Store, given: Params) -> Object:
    own_id = given.get("id")
    if own_id and store.find("product", own_id):
        raise StripeError("Product already exists.", "resource_already_exists", "id")
    return _product(store, given, own_id)


def _product(store: Store, given: Params, own_id: str | None = None) -> Object:
    if not given.get("name"):
        raise StripeError("Missing required param: product_data[name].", "parameter_missing", "product_data[name]")
    body = {
        "active": truth(given, "active", True),
        "default_price": None,
        "images": given.get("images", []),
        "marketing_features": [],
        "metadata": given.get("metadata", {}),
        "name": given["name"],
        "package_dimensions": None,
        "shippable": None,
        "type": "service",
        "updated": store.now(),
        **{name: given.get(name) for name in ("description", "unit_label", "tax_code", "statement_descriptor", "url")},
    }
    made = store.create("product", "prod", {**body, **({"id": own_id} if own_id else {})})
    store.emit("product.created", made)
    return made


@takes("name", "default_price", *PRODUCT)
def update_product(store: Store, given: Params, id: str) -> Object:
    product = store.get("product", id)
    product["metadata"] = merged(product["metadata"], given)
    product["active"] = truth(given, "active", product["active"])
    told = ("name", "description", "unit_label", "tax_code", "default_price")
    product |= {name: given[name] or None for name in told if name in given}
    store.emit("product.updated", store.save(product))
    return product


@takes(*PRICE, required=("currency",))
def create_price(store: Store, given: Params) -> Object:
    key = given.get("lookup_key")
    holder = next((p for p in store.all("price") if key and p["lookup_key"] == key), None)
    if holder and not truth(given, "transfer_lookup_key"):
        raise StripeError(f"A price already uses the lookup key {key}.", param="lookup_key")
    if holder:
        store.save({**holder, "lookup_key": None})
    made = make_price(store, given)
    store.emit("price.created", made)
    return made


def make_price(store: Store, given: Params) -> Object:
    """A price; of a product that is made with it where product_data says so."""
    dollars(given)
    if given.get("product_data"):
        product = _product(store, given["product_data"])["id"]
    else:
        product = store.get("product", str(given.get("product", "")), 400, "product")["id"]
    amount = _amount(given)
    body = {
        "active": truth(given, "active", True),
        "billing_scheme": given.get("billing_scheme", "per_unit"),
        "currency": "usd",
        "custom_unit_amount": None,
        "lookup_key": given.get("lookup_key"),
        "metadata": given.get("metadata", {}),
        "nickname": given.get("nickname"),
        "product": product,
        "recurring": _recurring(store, given),
        "tax_behavior": given.get("tax_behavior", "unspecified"),
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if given.get("recurring") else "one_time",
        "unit_amount": int(amount) if amount == int(amount) else None,
        "unit_amount_decimal": f"{amount:f}",
    }
    return store.create("price", "price", body)


def _recurring(store: Store, given: Params) -> Object | None:
    recurring = given.get("recurring")
    if recurring is None:
        return None
    if recurring.get("interval") not in ("day", "week", "month", "year"):
        raise StripeError(
            "Invalid recurring[interval]: must be one of day, month, week, or year", param="recurring[interval]"
        )
    if recurring.get("usage_type") == "metered" and not recurring.get("meter"):
        raise StripeError(
            "As of version 2025-03-31.basil, metered prices must be backed by meters.", param="recurring[meter]"
        )
    if recurring.get("meter"):
        store.get("billing.meter", recurring["meter"], 400, "recurring[meter]")
    count = whole(recurring, "interval_count", 1)
    empty = {"usage_type": "licensed", "meter": None, "trial_period_days": None}
    return {**empty, **recurring, "interval_count": count}


def _amount(given: Params) -> Decimal:
    try:
        amount = Decimal(str(given.get("unit_amount_decimal", given.get("unit_amount", ""))))
    except InvalidOperation:
        raise StripeError("Invalid decimal.", "parameter_invalid", "unit_amount_decimal") from None
    if not amount.is_finite() or amount < 0 or amount != round(amount, 12):
        raise StripeError("At least 0, and at most 12 decimal places.", "parameter_invalid", "unit_amount_decimal")
    if "unit_amount" in given and amount != int(amount):
        raise StripeError(f"Invalid integer: {given['unit_amount']}", "parameter_invalid_integer", "unit_amount")
    return amount


def plan(price: Object) -> Object:
    """A recurring price as the older object that subscription items still show."""
    recurring = price["recurring"]
    told = (
        "id",
        "created",
        "livemode",
        "active",
        "billing_scheme",
        "currency",
        "metadata",
        "nickname",
        "product",
        "tiers_mode",
    )
    return {
        **{name: price[name] for name in told},
        "object": "plan",
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "meter": recurring["meter"],
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": recurring["usage_type"],
    }


@takes("lookup_keys", "product", "active", "type", "currency", *LIST)
def prices(store: Store, given: Params) -> list[Object]:
    keys = given.get("lookup_keys")
    return [
        p
        for p in store.all("price")
        if (not keys or p["lookup_key"] in keys)
        and given.get("product") in (None, p["product"])
        and given.get("type") in (None, p["type"])
        and ("active" not in given or truth(given, "active") == p["active"])
    ]


@takes("active", "ids", *LIST)
def products(store: Store, given: Params) -> list[Object]:
    return [
        p
        for p in store.all("product")
        if (not given.get("ids") or p["id"] in given["ids"])
        and ("active" not in given or truth(given, "active") == p["active"])
    ]


@takes()
def retrieve_product(store: Store, given: Params, id: str) -> Object:
    return store.get("product", id)


@takes()
def retrieve_price(store: Store, given: Params, id: str) -> Object:
    return store.get("price", id)


@takes("active", "lookup_key", "metadata", "nickname", "tax_behavior", "transfer_lookup_key")
def update_price(store: Store, given: Params, id: str) -> Object:
    price = store.get("price", id)
    price["metadata"] = merged(price["metadata"], given)
    price["active"] = truth(given, "active", price["active"])
    price |= {name: given[name] or None for name in ("nickname", "lookup_key", "tax_behavior") if name in given}
    store.emit("price.updated", store.save(price))
    return price

"""Changing a subscription's items in the middle of a period."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from billing.sandbox.errors import StripeError
from billing.sandbox.params import Params, truth, whole
from billing.sandbox.resources import catalog, invoice_items, lines, periods
from billing.sandbox.store import Object, Store

ITEM = ("price", "quantity", "metadata", *(f"price_data.{n}" for n in catalog.PRICE_DATA if "product_data" not in n))


def item(store: Store, subscription: str, given: Params, start: int, end: int, at: str) -> Object:
    """A subscription's item. Raises StripeError, with `at` as its parameter's name."""
    if given.get("price_data"):
        price = catalog.make_price(store, given["price_data"])
    else:
        price = store.get("price", str(given.get("price", "")), 400, f"{at}[price]")
    if not price["recurring"]:
        raise StripeError(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param=at,
        )
    if lines.is_metered(price) and "quantity" in given:
        raise StripeError("Quantity should not be specified where usage_type is metered.", param=f"{at}[quantity]")
    body = {
        "billing_thresholds": None,
        "current_period_start": start,
        "current_period_end": end,
        "discounts": [],
        "metadata": given.get("metadata", {}),
        "plan": catalog.plan(price),
        "price": price,
        "quantity": None if lines.is_metered(price) else whole(given, "quantity", 1),
        "sandbox_since": None,
        "subscription": subscription,
        "tax_rates": [],
    }
    return store.create("subscription_item", "si", body)


def change(store: Store, subscription: Object, wanted: list[Params], behavior: str, at: int | None = None) -> Object:
    """The subscription with its items changed. What was paid for and not used is credited and what is new is charged
    for the rest of the period, by invoice items; usage of a metered item that goes is kept for the next invoice.

    Raises StripeError for an item that it does not have, or when none would be left.
    """
    start, end = periods.of(subscription)
    now = store.now() if at is None else at
    items = {one["id"]: one for one in subscription["items"]["data"]}
    for position, given in enumerate(wanted):
        where = f"items[{position}]"
        id = given.get("id")
        if id and id not in items:
            raise StripeError(f"No such subscription item: '{id}'", "resource_missing", f"{where}[id]")
        before = items.pop(id) if id else None
        after: Object | None = None
        if not truth(given, "deleted"):
            after = _after(store, subscription, before, given, (start, end), where)
            items[after["id"]] = after
        elif before is None:
            raise StripeError("Only an item with an id can be deleted.", param=f"{where}[deleted]")
        _bill(store, subscription, before, after, now, behavior)
        if before and not after:
            store.sql("DELETE FROM objects WHERE id = ?", before["id"])
    if not items:
        raise StripeError("A subscription must have at least one active item: cancel it instead.", param="items")
    # New items share the running period, so prices of another interval cannot join.
    intervals = {
        (i["price"]["recurring"]["interval"], i["price"]["recurring"]["interval_count"]) for i in items.values()
    }
    if len(intervals) > 1:
        raise StripeError("All prices of a subscription must have the same billing interval.", param="items")
    subscription["items"]["data"] = list(items.values())
    return subscription


def _after(
    store: Store, subscription: Object, before: Object | None, given: Params, span: tuple[int, int], at: str
) -> Object:
    if before is None:
        made = item(store, subscription["id"], given, *span, at)
        return store.save({**made, "sandbox_since": store.now()}) if lines.is_metered(made["price"]) else made
    after = {**before, "metadata": given.get("metadata", before["metadata"])}
    if "price" in given and given["price"] != before["price"]["id"]:
        price = store.get("price", given["price"], 400, f"{at}[price]")
        quantity = None if lines.is_metered(price) else before["quantity"] or 1
        after |= {"plan": catalog.plan(price), "price": price, "quantity": quantity, "sandbox_since": store.now()}
    if "quantity" in given:
        after["quantity"] = whole(given, "quantity")
    return store.save(after)


def _bill(
    store: Store, subscription: Object, before: Object | None, after: Object | None, now: int, behavior: str
) -> None:
    same_price = before and after and before["price"]["id"] == after["price"]["id"]
    if before and lines.is_metered(before["price"]) and not same_price:
        _used(store, subscription, before, now)
    if behavior == "none" or (same_price and before and after and before["quantity"] == after["quantity"]):
        return
    for one, sign in ((before, -1), (after, 1)):
        if one and not lines.is_metered(one["price"]):
            prorate(store, subscription, one, now, sign)


def prorate(store: Store, subscription: Object, item: Object, now: int, sign: int) -> Object:
    """An invoice item for the rest of the period: a credit (-1) or a charge (1), by the second, in whole cents."""
    start, end = periods.of(subscription)
    share = Decimal(end - now) / Decimal(max(end - start, 1))
    whole_period = lines.cost(item["price"], int(item["quantity"] or 1))
    amount = sign * int((whole_period * share).quantize(Decimal(1), ROUND_HALF_UP))
    name = store.get("product", item["price"]["product"])["name"]
    day = datetime.fromtimestamp(now, UTC).strftime("%-d %b %Y")
    return invoice_items.make(
        store, subscription["customer"], amount, f"{'Unused' if sign < 0 else 'Remaining'} time on {name} after {day}",
        (now, end), subscription["id"], proration=True, proration_details={"credited_items": None, "discount_amounts": []},
        pricing=lines.pricing(item["price"]), quantity=item["quantity"] or 1, quantity_decimal=str(item["quantity"] or 1),
        metadata=subscription["metadata"], sandbox_tax_behavior=item["price"]["tax_behavior"],
    )  # fmt: skip


def _used(store: Store, subscription: Object, item: Object, now: int) -> None:
    start, _ = periods.of(subscription)
    line = lines.of_item(store, subscription, item, item["sandbox_since"] or start, now)
    if line["quantity"]:
        invoice_items.make(
            store, subscription["customer"], line["amount"], line["description"], (line["period"]["start"], now),
            subscription["id"], pricing=line["pricing"], quantity=line["quantity"],
            quantity_decimal=line["quantity_decimal"], metadata=subscription["metadata"],
            sandbox_tax_behavior=line["sandbox_tax_behavior"],
        )  # fmt: skip

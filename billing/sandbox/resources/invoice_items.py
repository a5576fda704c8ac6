"""Invoice items: amounts that wait for an invoice, or are added to a draft."""

from __future__ import annotations

from typing import Any

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, Params, dollars, merged, moment, takes, whole
from billing.sandbox.resources import catalog, drafts, lines
from billing.sandbox.store import Object, Store


def make(
    store: Store, customer: str, amount: int, description: str, period: tuple[int, int], subscription: str | None = None,
    **more: Any,
) -> Object:  # fmt: skip
    """An item of `amount` cents (negative: a credit)."""
    body = {
        "amount": amount,
        "currency": "usd",
        "customer": customer,
        "customer_account": None,
        "date": store.now(),
        "description": description,
        "discountable": False,
        "discounts": [],
        "frozen_fields": None,
        "invoice": None,
        "metadata": {},
        "net_amount": amount,
        "parent": {
            "type": "subscription_details",
            "subscription_details": {"subscription": subscription, "subscription_item": None},
        }
        if subscription
        else None,
        "period": {"start": period[0], "end": period[1]},
        "pricing": None,
        "proration": False,
        "proration_details": None,
        "quantity": 1,
        "quantity_decimal": "1",
        "sandbox_subscription": subscription,
        "sandbox_tax_behavior": "exclusive",
        "tax_rates": [],
        "test_clock": None,
        **more,
    }
    made = store.create("invoiceitem", "ii", body)
    store.emit("invoiceitem.created", made)
    return made


@takes("amount", "currency", "description", "metadata", "invoice", "subscription", "pricing.price", "quantity", "tax_behavior",
       "period.start", "period.end", "discountable", *(f"price_data.{n}" for n in catalog.PRICE_DATA if "product_data" not in n and "recurring" not in n),
       required=("customer",))  # fmt: skip
def create(store: Store, given: Params) -> Object:
    dollars(given)
    customer = store.get("customer", given["customer"], 400, "customer")
    now, quantity = store.now(), whole(given, "quantity", 1)
    more: Params = {"metadata": given.get("metadata", {}), "quantity": quantity, "quantity_decimal": str(quantity)}
    if given.get("tax_behavior"):
        more["sandbox_tax_behavior"] = given["tax_behavior"]
    if "amount" in given:
        amount = whole(given, "amount")
    else:
        price = _price(store, given)
        amount = lines.cost(price, quantity)
        more |= {"pricing": lines.pricing(price)}
        more.setdefault("sandbox_tax_behavior", price["tax_behavior"])
    period = given.get("period", {})
    span = (moment(period, "start", now), moment(period, "end", now))
    subscription = given.get("subscription")
    if subscription:
        store.get("subscription", subscription, 400, "subscription")
    invoice = store.get("invoice", given["invoice"], 400, "invoice") if given.get("invoice") else None
    if invoice and (invoice["status"] != "draft" or invoice["customer"] != customer["id"]):
        raise StripeError("The invoice is not a draft of this customer.", "invoice_not_editable", "invoice")
    item = make(store, customer["id"], amount, given.get("description", ""), span, subscription, **more)
    if invoice:
        item = store.save({**item, "invoice": invoice["id"]})
        _sum(store, invoice, [*invoice["lines"]["data"], lines.of_invoice_item(item)])
    return item


def _price(store: Store, given: Params) -> Object:
    if given.get("price_data"):
        return catalog.make_price(store, given["price_data"])
    named = given.get("pricing", {}).get("price")
    if not named:
        raise StripeError("One of amount, pricing[price] and price_data is needed.", "parameter_missing", "amount")
    price = store.get("price", named, 400, "pricing[price]")
    if price["recurring"]:
        raise StripeError(
            "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.",
            param="pricing[price]",
        )
    return price


def _sum(store: Store, invoice: Object, found: list[Object]) -> None:
    customer = store.get("customer", invoice["customer"])
    changed = drafts.summed(store, customer, {**invoice, "lines": drafts.listed(found, invoice["id"])})
    store.emit("invoice.updated", store.save(changed))


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("invoiceitem", id)


@takes("customer", "invoice", "pending", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    return [
        i
        for i in store.all("invoiceitem", given.get("customer"))
        if given.get("invoice") in (None, i["invoice"])
        and given.get("pending", "") in ("", str(i["invoice"] is None).lower())
    ]


@takes("amount", "description", "metadata")
def update(store: Store, given: Params, id: str) -> Object:
    item, invoice = _editable(store, id)
    item["metadata"] = merged(item["metadata"], given)
    item["description"] = given.get("description", item["description"])
    if "amount" in given:
        item["amount"] = item["net_amount"] = whole(given, "amount")
    store.save(item)
    if invoice:
        _sum(store, invoice, [*_without(invoice, id), lines.of_invoice_item(item)])
    return item


@takes()
def delete(store: Store, given: Params, id: str) -> Object:
    item, invoice = _editable(store, id)
    if invoice:
        _sum(store, invoice, _without(invoice, id))
    store.sql("DELETE FROM objects WHERE id = ?", id)
    store.emit("invoiceitem.deleted", item)
    return {"id": id, "object": "invoiceitem", "deleted": True}


def _editable(store: Store, id: str) -> tuple[Object, Object | None]:
    item = store.get("invoiceitem", id)
    invoice = store.get("invoice", item["invoice"]) if item["invoice"] else None
    if invoice and invoice["status"] != "draft":
        raise StripeError(
            "You can't change an invoice item that is attached to an invoice that is no longer editable.",
            "invoice_not_editable",
        )
    return item, invoice


def _without(invoice: Object, id: str) -> list[Object]:
    def named(line: Object) -> bool:
        return bool((line["parent"]["invoice_item_details"] or {}).get("invoice_item") == id)

    return [line for line in invoice["lines"]["data"] if not named(line)]

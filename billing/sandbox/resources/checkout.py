"""Checkout sessions, and what paying on the hosted page does."""

from __future__ import annotations

from typing import Any

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, PAGE, Params, merged, moment, takes, truth, whole
from billing.sandbox.resources import catalog, lines, payments, setup_intents, taxes
from billing.sandbox.store import Object, Store

EXPIRES_S = 24 * 3600
LEAST_CENTS = 50
KNOWN = (
    "customer", "customer_email", "customer_creation", "client_reference_id", "cancel_url", "metadata", "locale", "currency",
    "payment_method_collection", "allow_promotion_codes", "automatic_tax.enabled", "billing_address_collection",
    "customer_update.address", "customer_update.name", "tax_id_collection.enabled", "expires_at", "submit_type",
    "subscription_data.metadata", "subscription_data.description", "setup_intent_data.metadata",
    "setup_intent_data.description", "invoice_creation.enabled", "ui_mode", "saved_payment_method_options.payment_method_save",
    "saved_payment_method_options.allow_redisplay_filters", "consent_collection.terms_of_service",
    *(f"payment_intent_data.{name}" for name in ("metadata", *payments.COPIED)),
    "line_items.price", "line_items.quantity", "line_items.metadata", "line_items.adjustable_quantity.enabled",
    *(f"line_items.price_data.{name}" for name in catalog.PRICE_DATA),
)  # fmt: skip


@takes(*KNOWN, required=("mode", "success_url"))
def create(store: Store, given: Params) -> Object:
    mode = given["mode"]
    if mode not in ("payment", "setup", "subscription"):
        raise StripeError("Invalid mode: must be one of payment, setup, or subscription", param="mode")
    _fits(given, mode)
    customer = store.get("customer", given["customer"], 400, "customer") if given.get("customer") else None
    taxed = truth(given.get("automatic_tax", {}), "enabled")
    if taxed and customer:
        taxes.require_location(customer, given.get("customer_update", {}).get("address") == "auto")
    items = [_item(store, line, mode, at) for at, line in enumerate(given.get("line_items") or [])]
    if mode != "setup" and not items:
        raise StripeError("Missing required param: line_items.", "parameter_missing", "line_items")
    subtotal = sum(item["amount_subtotal"] for item in items)
    if mode == "payment" and subtotal < LEAST_CENTS:
        raise StripeError(
            "The Checkout Session's total amount due must add up to at least $0.50 usd",
            "amount_too_small",
            "line_items",
        )
    if mode == "subscription" and not any(item["price"]["recurring"] for item in items):
        raise StripeError("You must provide at least one recurring price in `subscription` mode.", param="line_items")
    body = _body(store, given, customer, subtotal, taxed)
    made = store.create("checkout.session", "cs_test", {**body, "sandbox_items": items})
    made["url"] = f"{store.base}/c/pay/{made['id']}"
    if mode == "setup":
        data = given.get("setup_intent_data", {})
        made["setup_intent"] = setup_intents.make(store, given.get("customer"), data)["id"]
    store.schedule("expire", made["id"], made["expires_at"])
    return store.save(made)


def _fits(given: Params, mode: str) -> None:
    for name, only in (
        ("payment_intent_data", "payment"),
        ("subscription_data", "subscription"),
        ("setup_intent_data", "setup"),
    ):
        if name in given and mode != only:
            raise StripeError(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if "payment_method_collection" in given and mode != "subscription":
        raise StripeError(
            "You can only set payment_method_collection in `subscription` mode.", param="payment_method_collection"
        )
    if given.get("customer") and given.get("customer_email"):
        raise StripeError(
            "You may only specify one of these parameters: customer, customer_email.", param="customer_email"
        )
    if truth(given.get("invoice_creation", {}), "enabled"):
        raise StripeError("The sandbox makes no invoices of single payments.", param="invoice_creation[enabled]")
    if truth(given, "allow_promotion_codes"):
        raise StripeError("The sandbox knows no promotion codes.", param="allow_promotion_codes")
    if given.get("ui_mode", "hosted_page") != "hosted_page":
        raise StripeError("The sandbox knows the ui_mode hosted_page only.", param="ui_mode")


def _item(store: Store, line: Params, mode: str, at: int) -> Object:
    where = f"line_items[{at}]"
    if line.get("price_data"):
        price = catalog.make_price(store, line["price_data"])
    elif line.get("price"):
        price = store.get("price", line["price"], 400, f"{where}[price]")
    else:
        raise StripeError(f"Missing required param: {where}[price].", "parameter_missing", f"{where}[price]")
    if not price["active"]:
        raise StripeError(
            "The price specified is inactive. This field only accepts active prices.", param=f"{where}[price]"
        )
    if mode == "payment" and price["recurring"]:
        raise StripeError(
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.",
            param=where,
        )
    metered = lines.is_metered(price)
    if metered and "quantity" in line:
        raise StripeError("Quantity should not be specified where usage_type is metered.", param=f"{where}[quantity]")
    if not metered and "quantity" not in line:
        raise StripeError(
            "Quantity is required. Add `quantity` to line items.", "parameter_missing", f"{where}[quantity]"
        )
    quantity = None if metered else whole(line, "quantity")
    if quantity is not None and quantity < 1:
        raise StripeError("Quantity must be at least 1.", "parameter_invalid_integer", f"{where}[quantity]")
    amount = 0 if quantity is None else lines.cost(price, quantity)
    product = store.get("product", price["product"])
    about = {
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": "usd",
    }
    more = {
        "description": product["name"],
        "price": price,
        "quantity": quantity,
        "metadata": line.get("metadata", {}),
        "adjustable_quantity": None,
    }
    return store.create("item", "li", about | more)


def _body(store: Store, given: Params, customer: Object | None, subtotal: int, taxed: bool) -> Object:
    blank = (
        "after_expiration", "allow_promotion_codes", "billing_address_collection", "client_secret", "collected_information",
        "consent", "consent_collection", "currency_conversion", "customer_account", "invoice", "payment_intent", "payment_link",
        "payment_method_configuration_details", "recovered_from", "redirect_on_completion", "return_url", "setup_intent",
        "shipping_address_collection", "shipping_cost", "submit_type", "subscription", "wallet_options",
    )  # fmt: skip
    setup = given["mode"] == "setup"
    email = customer["email"] if customer else given.get("customer_email")
    tax_ids = customer["tax_exempt"] if customer else "none"
    return {
        **dict.fromkeys(blank),
        "adaptive_pricing": {"enabled": False},
        "amount_subtotal": None if setup else subtotal,
        "amount_total": None if setup else subtotal,
        "automatic_tax": {
            "enabled": taxed,
            "liability": None,
            "provider": None,
            "status": "requires_location_inputs" if taxed else None,
        },
        "cancel_url": given.get("cancel_url"),
        "client_reference_id": given.get("client_reference_id"),
        "currency": "usd",
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": customer["id"] if customer else None,
        "customer_creation": None
        if customer
        else given.get("customer_creation", "always" if given["mode"] == "subscription" else "if_required"),
        "customer_details": {
            "address": None,
            "business_name": None,
            "individual_name": None,
            "email": email,
            "name": customer and customer["name"],
            "phone": None,
            "tax_exempt": tax_ids,
            "tax_ids": None,
        },
        "customer_email": given.get("customer_email"),
        "discounts": [],
        "expires_at": moment(given, "expires_at", store.now() + EXPIRES_S),
        "invoice_creation": {
            "enabled": truth(given.get("invoice_creation", {}), "enabled"),
            "invoice_data": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": None,
                "metadata": {},
                "rendering_options": None,
            },
        },
        "locale": given.get("locale"),
        "metadata": given.get("metadata", {}),
        "mode": given["mode"],
        "origin_context": None,
        "payment_method_collection": given.get(
            "payment_method_collection", "if_required" if given["mode"] != "subscription" else "always"
        ),
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "no_payment_required" if setup else "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "saved_payment_method_options": {
            "allow_redisplay_filters": ["always"],
            "payment_method_remove": "disabled",
            "payment_method_save": None,
        },
        "shipping_options": [],
        "status": "open",
        "success_url": given["success_url"],
        "tax_id_collection": {"enabled": truth(given.get("tax_id_collection", {}), "enabled"), "required": "never"},
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "sandbox_data": _data(given),
        "sandbox_keeps_address": given.get("customer_update", {}).get("address") == "auto" or customer is None,
    }


def _data(given: Params) -> Params:
    for name in ("payment_intent_data", "subscription_data", "setup_intent_data"):
        if name in given:
            found: Params = given[name]
            return found
    return {}


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("checkout.session", id)


@takes("customer", "payment_intent", "subscription", "status", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    return [
        s
        for s in store.all("checkout.session", given.get("customer"))
        if all(given.get(name) in (None, s[name]) for name in ("payment_intent", "subscription", "status"))
    ]


@takes(*PAGE)
def line_items(store: Store, given: Params, id: str) -> list[Object]:
    found: list[Object] = store.get("checkout.session", id)["sandbox_items"]
    return found


@takes("metadata")
def update(store: Store, given: Params, id: str) -> Object:
    session = store.get("checkout.session", id)
    return store.save({**session, "metadata": merged(session["metadata"], given)})


@takes()
def expire(store: Store, given: Params, id: str) -> Object:
    session = store.get("checkout.session", id)
    if session["status"] != "open":
        raise StripeError('Only Checkout Sessions with a status in ["open"] can be expired.')
    return _expired(store, session)


def expire_due(store: Store, id: str) -> None:
    """Nobody paid in time."""
    session = store.get("checkout.session", id)
    if session["status"] == "open":
        _expired(store, session)


def _expired(store: Store, session: Object) -> Object:
    session = store.save({**session, "status": "expired", "url": None})
    intent: Any = store.find("payment_intent", session["payment_intent"] or "")
    if intent and intent["status"] not in ("succeeded", "processing"):
        store.emit("payment_intent.canceled", store.save({**intent, "status": "canceled", "canceled_at": store.now()}))
    store.emit("checkout.session.expired", session)
    return session

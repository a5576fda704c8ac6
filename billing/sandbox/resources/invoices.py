"""The API of invoices."""

from __future__ import annotations

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, PAGE, Params, days, merged, moment, takes, truth
from billing.sandbox.resources import collection, drafts, lines, methods, taxes
from billing.sandbox.store import Object, Store

CHANGES = ("description", "metadata", "auto_advance", "collection_method", "days_until_due", "due_date", "footer",
           "default_payment_method", "automatic_tax.enabled", "statement_descriptor")  # fmt: skip


@takes("customer", "currency", "subscription", "pending_invoice_items_behavior", *CHANGES)
def create(store: Store, given: Params) -> Object:
    """A one-off invoice. Invoice items that wait are on it where `pending_invoice_items_behavior` is `include`."""
    if not given.get("customer"):
        raise StripeError("Missing required param: customer.", "parameter_missing", "customer")
    customer = store.get("customer", given["customer"], 400, "customer")
    now = store.now()
    include = given.get("pending_invoice_items_behavior", "exclude") == "include"
    waiting = drafts.pending(store, customer["id"], None) if include else []
    changes = _changes(store, given)
    if changes.get("collection_method") == "send_invoice" and not changes["due_date"]:
        raise StripeError("Invoices that are sent need days_until_due or due_date.", param="days_until_due")
    body = drafts.body(
        store, customer, [lines.of_invoice_item(i) for i in waiting], reason="manual", period=(now, now),
        **{"auto_advance": False, "metadata": given.get("metadata", {}), **changes},
    )  # fmt: skip
    if body["automatic_tax"]["enabled"]:
        taxes.require_location(customer)
    invoice = drafts.create(store, body)
    drafts.claim(store, waiting, invoice)
    return invoice


def _changes(store: Store, given: Params) -> Params:
    found: Params = {
        name: given[name] or None
        for name in ("description", "footer", "collection_method", "default_payment_method", "statement_descriptor")
        if name in given
    }
    if "auto_advance" in given:
        found["auto_advance"] = truth(given, "auto_advance")
    if "automatic_tax" in given:
        found["automatic_tax"] = drafts.tax_setting(truth(given["automatic_tax"], "enabled"))
    if "days_until_due" in given:
        found["due_date"] = store.now() + days(given, "days_until_due") * 86400
    elif "due_date" in given or given.get("collection_method") == "send_invoice":
        found["due_date"] = moment(given, "due_date") if given.get("due_date") else None
    return found


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("invoice", id)


@takes(*CHANGES)
def update(store: Store, given: Params, id: str) -> Object:
    invoice = store.get("invoice", id)
    if invoice["status"] != "draft" and {*given} - {"metadata", "auto_advance", "expand"}:
        raise StripeError("Finalized invoices can't be updated in this way.", "invoice_not_editable")
    changed = {**invoice, **_changes(store, given), "metadata": merged(invoice["metadata"], given)}
    changed = (
        drafts.summed(store, store.get("customer", invoice["customer"]), changed)
        if invoice["status"] == "draft"
        else changed
    )
    store.emit("invoice.updated", store.save(changed))
    if changed["status"] == "draft" and changed["auto_advance"]:
        store.schedule("finalize", id, max(changed["created"] + drafts.DRAFT_S, store.now()))
    return changed


@takes()
def delete(store: Store, given: Params, id: str) -> Object:
    invoice = store.get("invoice", id)
    if invoice["status"] != "draft" or drafts.subscription_of(invoice):
        raise StripeError("You can only delete one-off draft invoices.", "invoice_not_editable")
    for item in store.all("invoiceitem", invoice["customer"]):
        if item["invoice"] == id:
            store.save({**item, "invoice": None})
    store.sql("DELETE FROM objects WHERE id = ?", id)
    store.emit("invoice.deleted", invoice)
    return {"id": id, "object": "invoice", "deleted": True}


@takes("customer", "subscription", "status", "collection_method", "due_date", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    return [
        i
        for i in store.all("invoice", given.get("customer"))
        if given.get("status") in (None, i["status"])
        and given.get("subscription") in (None, drafts.subscription_of(i))
        and given.get("collection_method") in (None, i["collection_method"])
    ]


@takes(*PAGE)
def lines_of(store: Store, given: Params, id: str) -> list[Object]:
    found: list[Object] = store.get("invoice", id)["lines"]["data"]
    return found


@takes("auto_advance")
def finalize(store: Store, given: Params, id: str) -> Object:
    invoice = store.get("invoice", id)
    if invoice["status"] != "draft":
        raise StripeError(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.", "invoice_not_editable"
        )
    if "auto_advance" in given:
        invoice["auto_advance"] = truth(given, "auto_advance")
    if invoice["automatic_tax"]["enabled"]:
        taxes.require_location(store.get("customer", invoice["customer"]))
    return collection.finish(store, invoice)


@takes("payment_method", "paid_out_of_band", "off_session", "forgive")
def pay(store: Store, given: Params, id: str) -> Object:
    invoice = store.get("invoice", id)
    if invoice["status"] == "draft":
        invoice = drafts.finalize(store, invoice)
    if invoice["status"] == "paid":
        raise StripeError("Invoice is already paid", "invoice_already_paid")
    if invoice["status"] not in ("open", "uncollectible"):
        raise StripeError(f"This invoice is {invoice['status']}: it can't be paid.", "invoice_not_editable")
    if truth(given, "paid_out_of_band"):
        return collection.pay_out_of_band(store, invoice)
    if invoice["amount_due"] == 0:
        return collection.finish(store, invoice)
    method = (
        methods.resolve(store, given["payment_method"])
        if given.get("payment_method")
        else collection.default_method(store, invoice)
    )
    if method is None:
        raise StripeError(
            "There is no `default_payment_method` set on this Customer or Invoice. Please set one, or pass one.",
            "resource_missing",
        )
    return collection.attempt(store, invoice, method)


@takes()
def void(store: Store, given: Params, id: str) -> Object:
    return collection.close(store, store.get("invoice", id), "void")


@takes()
def mark_uncollectible(store: Store, given: Params, id: str) -> Object:
    return collection.close(store, store.get("invoice", id), "uncollectible")


@takes()
def send(store: Store, given: Params, id: str) -> Object:
    """Mails it, at Stripe. Here: its page is where hosted_invoice_url says."""
    invoice = store.get("invoice", id)
    if invoice["collection_method"] != "send_invoice":
        raise StripeError("You can only send invoices with collection_method send_invoice.", param="collection_method")
    if invoice["status"] == "draft":
        invoice = collection.finish(store, invoice)
    store.emit("invoice.sent", invoice)
    return invoice


@takes("invoice", "payment.type", "payment.payment_intent", "status", *LIST)
def payments(store: Store, given: Params) -> list[Object]:
    wanted = given.get("payment", {}).get("payment_intent")
    return [
        p
        for p in store.all("invoice_payment")
        if given.get("invoice") in (None, p["invoice"])
        and given.get("status") in (None, p["status"])
        and wanted in (None, p["payment"]["payment_intent"])
    ]


@takes()
def payment(store: Store, given: Params, id: str) -> Object:
    return store.get("invoice_payment", id)

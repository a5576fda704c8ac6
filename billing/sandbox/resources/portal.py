"""Sessions of the customer's portal."""

from __future__ import annotations

from billing.sandbox.params import Params, takes
from billing.sandbox.store import Object, Store


@takes("return_url", "locale", "configuration", "flow_data.type", required=("customer",))
def create(store: Store, given: Params) -> Object:
    store.get("customer", given["customer"], 400, "customer")
    body = {
        "configuration": given.get("configuration", "bpc_sandbox"),
        "customer": given["customer"],
        "customer_account": None,
        "flow": None,
        "locale": given.get("locale"),
        "on_behalf_of": None,
        "return_url": given.get("return_url"),
    }
    made = store.create("billing_portal.session", "bps", body)
    return store.save({**made, "url": f"{store.base}/p/session/{made['id']}"})

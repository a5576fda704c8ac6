"""Whatever is sent, the stand-in answers: nonsense is refused by name and changes nothing, and never ends a connection."""

from __future__ import annotations

import http.client
import json
import random
from typing import Any
from urllib.parse import urlencode

from billing.sandbox.routes import TABLE
from tests.billing.sandbox.sdk import base_price, client_of, with_card
from tests.fixtures.stripe import Sandbox

ODD: list[Any] = ["", "x", "-1", "9" * 30, {"foo": "1"}, ["1"], [{"foo": "1"}]]


def flat(name: str, value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {f"{name}[{key}]": one for key, one in value.items()}
    if isinstance(value, list):
        return {key: one for at, item in enumerate(value) for key, one in flat(f"{name}[{at}]", item).items()}
    return {name: value}


def test_every_route_answers_what_makes_no_sense(sandbox: Sandbox) -> None:
    client = client_of(sandbox)
    customer, price = with_card(client), base_price(client)
    subscription = client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})
    ids = {"customers": customer.id, "prices": price.id, "subscriptions": subscription.id,
           "invoices": str(subscription.latest_invoice), "products": str(price.product)}  # fmt: skip
    likely = {"customer": customer.id, "amount": "100", "currency": "usd", "price": price.id, "mode": "payment",
              "success_url": "http://x", "invoice": ids["invoices"], "name": "n", "type": "card"}  # fmt: skip
    wire = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=20)
    headers = {"Authorization": "Bearer sk_test_x", "Content-Type": "application/x-www-form-urlencoded"}
    calls = [
        (verb, path, act, name) for verb, path, act in TABLE for name in getattr(act, "known", ()) if verb == "POST"
    ]
    dice = random.Random(7)
    for verb, path, act, name in dice.sample(calls, 250):
        parts = path.split("/")
        url = "/".join(ids.get(parts[at - 1], "x") if part == "{id}" else part for at, part in enumerate(parts))
        first, *inner = name.split(".")
        form = {key: likely.get(key, "x") for key in act.required if key != first}
        form |= flat(first + "".join(f"[{part}]" for part in inner), dice.choice(ODD))
        body = json.dumps(form) if path.startswith("/v2/") else urlencode(form)
        wire.request(verb, url, body, headers)
        response = wire.getresponse()
        told = json.loads(response.read())
        assert response.status < 500, (url, form, told)
        if response.status != 200:
            assert told["error"]["message"]
    wire.close()
    for body, kind in ((b"\xff\xfe[]=&&==&a[b=1", "application/x-www-form-urlencoded"), (b"[1,", "application/json")):
        for path in ("/v1/customers", "/v2/core/accounts"):
            wire.request("POST", path, body, {**headers, "Content-Type": kind})
            response = wire.getresponse()
            response.read()
            assert response.status in (200, 400)
    wire.close()

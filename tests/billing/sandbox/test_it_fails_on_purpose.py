"""Each planned fault happens as often as it was planned, to those it was planned for."""

from __future__ import annotations

import time
import urllib.error
from typing import Any

import pytest
import stripe

from tests.fixtures.stripe import Sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    addresses: Any = dict.fromkeys(("api", "files", "connect", "meter_events"), sandbox.url)
    return stripe.StripeClient("sk_test_x", base_addresses=addresses)


def customers(client: stripe.StripeClient) -> int:
    return len(client.v1.customers.list().data)


def test_refusals_come_with_the_time_to_wait_and_do_nothing(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    sandbox.control("faults", kind="rate_limit", path="/v1/customers", count=2, seconds=7)
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError) as caught:
            client.v1.customers.create({"email": "a@example.com"})
        assert caught.value.headers is not None
        assert caught.value.headers["Retry-After"] == "7"
    assert customers(client) == 0


def test_errors_do_nothing_and_lost_replies_have_done_it(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    sandbox.control("faults", kind="server_error", path="/v1/customers")
    with pytest.raises(stripe.APIError):
        client.v1.customers.create({"email": "a@example.com"})
    assert customers(client) == 0
    sandbox.control("faults", kind="lose_reply", path="/v1/customers")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create({"email": "a@example.com"})
    assert customers(client) == 1


def test_other_addresses_suffer_nothing(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    sandbox.control("faults", kind="server_error", path="/v1/products")
    assert customers(client) == 0
    with pytest.raises(stripe.APIError):
        client.v1.products.create({"name": "P"})


@pytest.mark.parametrize("after", [False, True])
def test_an_answer_may_take_its_time(client: stripe.StripeClient, sandbox: Sandbox, after: bool) -> None:
    sandbox.control("faults", kind="delay", path="/v1/customers", seconds=0.3, after=after)
    begun = time.monotonic()
    client.v1.customers.create({"email": "a@example.com"})
    assert time.monotonic() - begun >= 0.3


def test_an_outage_ends_by_itself(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    assert customers(client) == 0  # a connection is open
    sandbox.control("faults", kind="refuse", seconds=0.5)
    with pytest.raises(stripe.APIConnectionError):
        customers(client)
    time.sleep(0.6)
    assert customers(client) == 0


def test_it_says_what_it_was_asked(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    client.v1.customers.create({"email": "a@example.com", "metadata": {"a": "b"}}, {"idempotency_key": "mine"})
    (asked,) = sandbox.control("requests")["requests"]
    assert (asked["method"], asked["path"], asked["idempotency_key"]) == ("POST", "/v1/customers", "mine")
    assert asked["params"] == {"email": "a@example.com", "metadata": {"a": "b"}}
    assert asked["version"] == stripe.api_version


@pytest.mark.parametrize("what", ["faults", "nothing"])
def test_what_it_cannot_do_is_refused(sandbox: Sandbox, what: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        sandbox.control(what, kind="earthquake")
    assert caught.value.code in (400, 404)
    caught.value.close()

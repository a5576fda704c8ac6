"""The hosted pages do what their buttons say, for their own customer, without a mouse and on a phone."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest
import stripe
from playwright.sync_api import Page, sync_playwright

from tests import chromium
from tests.billing.sandbox.sdk import base_price, client_of, someone, top_up, with_card
from tests.fixtures.stripe import Sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


def portal(client: stripe.StripeClient, customer: str) -> str:
    return client.v1.billing_portal.sessions.create(
        {"customer": customer, "return_url": "http://localhost/billing"}
    ).url


def read(url: str) -> str:
    with urllib.request.urlopen(url) as page:
        return str(page.read().decode())


def default(client: stripe.StripeClient, customer: Any) -> str:
    settings = client.v1.customers.retrieve(customer.id).invoice_settings
    assert settings is not None
    return str(settings.default_payment_method)


def test_the_portal_ends_and_keeps_a_subscription(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer = with_card(client)
    made = client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": base_price(client).id}]})
    url = portal(client, customer.id)
    for act, ends in (("cancel", True), ("keep", False)):
        sandbox.press(url, act=act, subscription=made.id)
        assert client.v1.subscriptions.retrieve(made.id).cancel_at_period_end is ends
    sandbox.press(url, act="cancel_now", subscription=made.id)
    assert client.v1.subscriptions.retrieve(made.id).status == "canceled"
    sandbox.press(url, act="keep", subscription=made.id)
    assert client.v1.subscriptions.retrieve(made.id).status == "canceled"


def test_a_new_card_pays_from_now_on_and_an_old_one_goes(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer = with_card(client)
    old = default(client, customer)
    made = client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": base_price(client).id}], "default_payment_method": old}
    )
    url = portal(client, customer.id)
    assert "declined" in sandbox.press(url, act="add_card", card="4000000000000002")
    assert default(client, customer) == old
    assert "Complete authentication" in sandbox.press(url, act="add_card", card="4000002500003155")
    sandbox.press(url, act="add_card", card="4000002500003155", authenticated="yes")
    new = default(client, customer)
    assert new != old
    assert client.v1.subscriptions.retrieve(made.id).default_payment_method == new
    sandbox.press(url, act="remove_card", payment_method=old)
    assert [m.id for m in client.v1.customers.payment_methods.list(customer.id).data] == [new]
    assert "default" in read(url)


def test_a_portal_touches_nothing_of_somebody_else(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer, other = with_card(client), someone(client)
    made = client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": base_price(client).id}]})
    theirs = portal(client, other.id)
    assert "4242" not in read(theirs).partition("<details")[0]
    for form in (
        {"act": "cancel_now", "subscription": made.id},
        {"act": "remove_card", "payment_method": default(client, customer)},
        {"act": "default_card", "payment_method": default(client, customer)},
    ):
        assert "No such" in sandbox.press(theirs, **form)
    assert client.v1.subscriptions.retrieve(made.id).status == "active"
    assert len(client.v1.customers.payment_methods.list(customer.id).data) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/c/pay/cs_nobody",
        "/p/session/x",
        "/i/in_x",
        "/i/in_x/pdf",
        "/r/ch_x",
        "/cn/x",
        "/connect/x",
        "/c/authenticate/pi_x",
    ],
)
def test_a_page_of_nothing_is_not_found(sandbox: Sandbox, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        read(sandbox.url + path)
    assert caught.value.code == 404
    caught.value.close()


def test_what_people_write_is_shown_as_text(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer = someone(client, name="<script>alert(1)</script>")
    invoice = client.v1.invoices.create({"customer": customer.id})
    client.v1.invoice_items.create(
        {
            "customer": customer.id,
            "invoice": invoice.id,
            "amount": 500,
            "currency": "usd",
            "description": "<b>(5\\) −</b>",
        }
    )
    final = client.v1.invoices.finalize_invoice(invoice.id)
    page = read(str(final.hosted_invoice_url))
    assert "<script>" not in page
    assert "<b>" not in page
    with urllib.request.urlopen(str(final.invoice_pdf)) as file:
        assert b"<b>\\(5\\\\\\) -</b>" in file.read()


def test_an_invoice_of_many_lines_has_as_many_pages_as_it_takes(client: stripe.StripeClient) -> None:
    customer = someone(client)
    invoice = client.v1.invoices.create({"customer": customer.id})
    for at in range(40):
        client.v1.invoice_items.create(
            {
                "customer": customer.id,
                "invoice": invoice.id,
                "amount": 100,
                "currency": "usd",
                "description": f"Line {at}",
            }
        )
    final = client.v1.invoices.finalize_invoice(invoice.id, {"auto_advance": False})
    with urllib.request.urlopen(str(final.invoice_pdf)) as file:
        pdf = file.read()
    assert b"/Count 2" in pdf
    assert all(b"(Line %d " % at in pdf for at in range(40))
    # Every object begins where the table says.
    start = int(pdf.rpartition(b"startxref\n")[2].split()[0])
    offsets = [int(line[:10]) for line in pdf[start:].splitlines() if line.endswith(b" n ")]
    assert [pdf[at:].startswith(b"%d 0 obj" % number) for number, at in enumerate(offsets, 1)] == [True] * len(offsets)


@pytest.mark.slow
def test_a_top_up_by_keyboard_on_a_phone(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    session = top_up(client, someone(client).id, success_url=f"{sandbox.url}/nowhere")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.ensure(), args=chromium.ARGUMENTS)
        page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme="dark")
        page.goto(session.url)
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
        page.locator("#card").focus()
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type("4000 0025 0000 3155")
        _tab_to(page, "Pay")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Complete authentication")
        _tab_to(page, "Complete authentication")
        page.keyboard.press("Enter")
        page.wait_for_url("**/nowhere")
        browser.close()
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def _tab_to(page: Page, words: str) -> None:
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == words:
            return
    raise AssertionError(f"Tab never reaches {words}")

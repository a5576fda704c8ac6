"""Plans change in the middle of a month, pause and end; previews say beforehand what will be billed."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.billing.sandbox.sdk import base_price, client_of, kinds, metered_price, use, with_card
from tests.fixtures.stripe import Sandbox

DAY_S = 86400


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


class Pro:
    """A customer with a base fee of $31 and a metered price, ten days into the month."""

    def __init__(self, client: stripe.StripeClient, sandbox: Sandbox) -> None:
        self.client, self.customer = client, with_card(client)
        self.base, self.more = base_price(client, 3100), base_price(client, 6200, "Max")
        self.metered = metered_price(client)[1]
        made = client.v1.subscriptions.create(
            {"customer": self.customer.id, "items": [{"price": self.base.id}, {"price": self.metered.id}]}
        )
        self.id = made.id
        start = made["items"].data[0].current_period_start
        self.end = made["items"].data[0].current_period_end
        self.half = (self.end - start) // 2
        use(client, self.customer.id, "used", 5_000_000)
        sandbox.control("clock", advance_s=self.half)

    def item(self, price: Any) -> str:
        found = self.client.v1.subscriptions.retrieve(self.id)
        return next(i.id for i in found["items"].data if i.price.id == price.id)

    def preview(self, **details: Any) -> Any:
        return self.client.v1.invoices.create_preview({"subscription": self.id, "subscription_details": details})  # type: ignore[typeddict-item]

    def invoices(self) -> list[Any]:
        return list(self.client.v1.invoices.list({"customer": self.customer.id}).data)


@pytest.fixture
def pro(client: stripe.StripeClient, sandbox: Sandbox) -> Pro:
    return Pro(client, sandbox)


def about(cents: int) -> Any:
    return pytest.approx(cents, abs=1)  # the clock ran on for a moment


def test_the_next_invoice_has_usage_of_this_month_and_the_fee_of_the_next(pro: Pro) -> None:
    lines = {line.description: (line.amount, line.period.start) for line in pro.preview().lines.data}
    start = pro.client.v1.subscriptions.retrieve(pro.id)["items"].data[0].current_period_start
    assert lines == {"5000000 × Usage": (500, start), "1 × Pro": (3100, pro.end)}


def test_a_dearer_plan_credits_what_is_unused_and_charges_what_remains(pro: Pro, sandbox: Sandbox) -> None:
    change: Any = [{"id": pro.item(pro.base), "price": pro.more.id}]
    told = pro.preview(items=change)
    assert len(pro.invoices()) == 1, "a preview changes nothing"
    assert pro.client.v1.invoice_items.list().data == []
    changed = pro.client.v1.subscriptions.update(pro.id, {"items": change})
    assert changed["items"].data[0].current_period_end == pro.end
    sandbox.control("clock", advance_s=pro.half + 2 * 3600)
    bill = pro.invoices()[0]
    assert bill.total == about(500 + 6200 + 1550)
    assert told.total == about(bill.total)
    amounts = sorted(line.amount for line in bill.lines.data)
    assert amounts == [about(-1550), 500, about(3100), 6200]
    credit = next(line for line in bill.lines.data if line.amount < 0)
    assert credit.parent.invoice_item_details.proration is True
    assert bill.status == "paid"


def test_a_change_can_be_invoiced_at_once_or_not_be_prorated(pro: Pro) -> None:
    item = pro.item(pro.base)
    at_once = pro.client.v1.subscriptions.update(
        pro.id, {"items": [{"id": item, "price": pro.more.id}], "proration_behavior": "always_invoice"}
    )
    bill = pro.invoices()[0]
    assert (at_once.latest_invoice, bill.status, bill.billing_reason) == (bill.id, "paid", "subscription_update")
    assert bill.amount_paid == about(1550)
    pro.client.v1.subscriptions.update(
        pro.id, {"items": [{"id": item, "price": pro.base.id}], "proration_behavior": "none"}
    )
    assert len(pro.invoices()) == 2
    assert pro.preview().total == 500 + 3100


def test_a_metered_price_that_goes_is_billed_for_what_was_used_once(pro: Pro, sandbox: Sandbox) -> None:
    pro.client.v1.subscriptions.update(pro.id, {"items": [{"id": pro.item(pro.metered), "deleted": True}]})
    use(pro.client, pro.customer.id, "after", 7_000_000)
    sandbox.control("clock", advance_s=pro.half + 2 * 3600)
    assert pro.invoices()[0].total == 500 + 3100
    # It comes back: what was used while it was gone stays unbilled, and nothing twice.
    pro.client.v1.subscriptions.update(pro.id, {"items": [{"price": pro.metered.id}]})
    assert pro.preview().total == 3100


def test_ending_now_bills_what_was_used_and_credits_the_rest_of_the_fee(pro: Pro) -> None:
    told = pro.preview(cancel_now=True)
    assert pro.client.v1.subscriptions.retrieve(pro.id).status == "active"
    ended = pro.client.v1.subscriptions.cancel(pro.id, {"invoice_now": True, "prorate": True})
    assert ended.status == "canceled"
    bill = pro.invoices()[0]
    assert bill.total == about(500 - 1550)
    assert told.total == about(bill.total)
    assert bill.amount_due == 0
    assert pro.client.v1.customers.retrieve(pro.customer.id).balance == bill.total, "the credit stays with the customer"
    with pytest.raises(stripe.InvalidRequestError):
        pro.client.v1.subscriptions.cancel(pro.id)


def test_ending_without_an_invoice_loses_the_usage(pro: Pro, sandbox: Sandbox) -> None:
    pro.client.v1.subscriptions.cancel(pro.id)
    sandbox.control("clock", advance_s=40 * DAY_S)
    assert len(pro.invoices()) == 1


def test_ending_at_the_end_of_the_month_bills_usage_and_no_further_fee(pro: Pro, sandbox: Sandbox) -> None:
    pro.client.v1.subscriptions.update(pro.id, {"cancel_at_period_end": True})
    assert pro.preview().total == 500
    sandbox.control("clock", advance_s=pro.half + 2 * 3600)
    assert pro.client.v1.subscriptions.retrieve(pro.id).status == "canceled"
    assert (pro.invoices()[0].total, pro.invoices()[0].status) == (500, "paid")
    assert kinds(pro.client).count("customer.subscription.deleted") == 1


def test_a_pause_keeps_invoices_as_drafts(pro: Pro, sandbox: Sandbox) -> None:
    pro.client.v1.subscriptions.update(pro.id, {"pause_collection": {"behavior": "keep_as_draft"}})
    sandbox.control("clock", advance_s=pro.half + 2 * 3600)
    held = pro.invoices()[0]
    assert (held.status, held.auto_advance) == ("draft", False)
    pro.client.v1.subscriptions.update(pro.id, {"pause_collection": ""})
    assert pro.client.v1.subscriptions.retrieve(pro.id).pause_collection is None
    assert pro.client.v1.invoices.finalize_invoice(held.id, {"auto_advance": True}).status == "paid"


def test_a_first_payment_that_fails_leaves_it_incomplete_until_it_expires(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    customer = with_card(client, "pm_card_chargeCustomerFail")
    items: Any = [{"price": base_price(client).id}]
    with pytest.raises(stripe.CardError):
        client.v1.subscriptions.create(
            {"customer": customer.id, "items": items, "payment_behavior": "error_if_incomplete"}
        )
    made = client.v1.subscriptions.create({"customer": customer.id, "items": items})
    assert made.status == "incomplete"
    sandbox.control("clock", advance_s=DAY_S)
    assert client.v1.subscriptions.retrieve(made.id).status == "incomplete_expired"
    assert client.v1.invoices.retrieve(str(made.latest_invoice)).status == "void"


def test_what_does_not_fit_is_refused_and_nothing_changes(pro: Pro) -> None:
    yearly = pro.client.v1.prices.create(
        {"currency": "usd", "product": str(pro.base.product), "unit_amount": 1, "recurring": {"interval": "year"}}
    )
    wrong: list[Any] = [
        {"items": [{"id": "si_nobody", "price": pro.more.id}]},
        {"items": [{"price": yearly.id}]},
        {"items": [{"price": pro.metered.id, "quantity": 3}]},
        {"items": [{"id": pro.item(pro.base), "deleted": True}, {"id": pro.item(pro.metered), "deleted": True}]},
        {"proration_behavior": "maybe"},
    ]
    before = pro.client.v1.subscriptions.retrieve(pro.id)
    for change in wrong:
        with pytest.raises(stripe.InvalidRequestError):
            pro.client.v1.subscriptions.update(pro.id, change)
    assert pro.client.v1.subscriptions.retrieve(pro.id) == before
    assert pro.client.v1.invoice_items.list().data == []


def test_a_dearer_plan_that_cannot_be_paid_is_not_had(pro: Pro) -> None:
    method = pro.client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": pro.customer.id})
    pro.client.v1.customers.update(pro.customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    before, told = pro.client.v1.subscriptions.retrieve(pro.id), len(kinds(pro.client))
    with pytest.raises(stripe.CardError) as caught:
        pro.client.v1.subscriptions.update(
            pro.id,
            {
                "items": [{"id": pro.item(pro.base), "price": pro.more.id}],
                "proration_behavior": "always_invoice",
                "payment_behavior": "error_if_incomplete",
                "metadata": {"plan": "max"},
            },
        )
    assert caught.value.code == "card_declined"
    assert pro.client.v1.subscriptions.retrieve(pro.id) == before
    assert len(pro.invoices()) == 1
    assert len(kinds(pro.client)) == told


def test_the_next_invoice_is_told_a_week_before(pro: Pro, sandbox: Sandbox) -> None:
    sandbox.control("clock", advance_s=pro.half - 6 * DAY_S)
    told = next(e for e in pro.client.v1.events.list({"type": "invoice.upcoming"}).data)
    assert told.created == pro.end - 7 * DAY_S
    assert told.data.object["total"] == 3600
    assert len(pro.invoices()) == 1

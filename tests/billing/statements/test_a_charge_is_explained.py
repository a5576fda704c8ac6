"""Explain this charge: from the invoice to one request each step is a click, and its sum is the figure above."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from billing.metering.models import UsageEvent
from billing.plans.seeds import seed_plans
from billing.prices.models import Price
from billing.prices.publishing import publish
from billing.statements import explain
from billing.statements.statement import statement
from billing.stripe import client as stripe_client
from billing.stripe import handlers, reports, sending
from billing.stripe.models import Invoice, Outcome, Reconciliation, Report
from portal.accounts.models import Membership, Role, User, Workspace
from portal.kit import ids
from tests.billing.stripe.test_stripe_and_we_agree import subscribed
from tests.fixtures.people import person, signed_in
from tests.fixtures.stripe import Sandbox


@pytest.fixture
def wired(sandbox: Sandbox, settings: LazySettings, workspace: Workspace) -> Iterator[Sandbox]:
    settings.STRIPE_API_BASE = sandbox.url
    settings.STRIPE_WEBHOOK_SECRET = sandbox.webhook_secret
    stripe_client.client.cache_clear()
    seed_plans()
    yield sandbox
    stripe_client.client.cache_clear()


def used(workspace: Workspace, price: Price | None, units: dict[str, int], **fields: Any) -> UsageEvent:
    cost = price.scheme.cost(units, fields.get("factor_bp", 10_000)) if price else 0
    event = {
        "id": ids.make("use"), "request_id": ids.make("req"), "workspace_id": workspace.pk, "model": "a/b",
        "version_id": "v", "protocol": "openai", "units": units, "price_id": price.pk if price else "",
        "cost_nanos": cost, "lease_id": "lease_x", "funding": "receivable", "latency_ms": 1,
        "recorded_at": timezone.now(),
    }  # fmt: skip
    return UsageEvent.objects.create(**{**event, **fields})


def links(html: str, within: str) -> list[str]:
    return re.findall(rf'href="(/billing/{within}/[^"]+)"', html)


def test_each_step_is_a_click_and_sums_to_the_one_above(wired: Sandbox, workspace: Workspace, owner: User) -> None:
    running = subscribed(wired, workspace)
    price = publish("product", {"request": 1_234_567_000_000, "input_token": 777_777_777})
    dice = random.Random(4)
    for _ in range(6):
        used(workspace, price, {"request": 1, "input_token": dice.randrange(1, 100_000)})
        reports.flush(workspace.pk, timezone.now())
    sending.send_due(timezone.now() + timedelta(minutes=2))
    wired.control("clock", advance_s=60)  # what is reported for this second is in no period that ends with it
    stripe_client.client().v1.subscriptions.cancel(str(running.stripe_id), {"invoice_now": True, "prorate": False})
    said = [
        event for event in stripe_client.client().v1.events.list({"limit": 100}).data if event.type == "invoice.paid"
    ]
    for event in said:
        handlers.HANDLERS[event.type](event.data.object["id"])
    invoice = Invoice.objects.filter(workspace=workspace, total_cents__gt=0).get()
    browser = signed_in(owner)

    assert f"/billing/invoices/{invoice.pk}" in links(browser.get("/billing").content.decode(), "invoices")
    page = browser.get(f"/billing/invoices/{invoice.pk}").content.decode()
    assert "Both are the same." in page
    [to_reports] = [link for link in links(page, "invoices") if link.endswith("/reports/0")]

    page = browser.get(to_reports).content.decode()
    assert page.count("Both are the same.") == 2
    assert "They differ" not in page
    line = explain.lines(invoice)[0]
    told = explain.reported(workspace.pk, line)
    assert told.line.agrees
    assert line.rounding.agrees
    assert told.carried_in_nanos + told.nanos == told.told_nanos + told.carried_out_nanos
    assert told.nanos == sum(event.cost_nanos for event in UsageEvent.objects.all())
    assert statement(workspace.pk, line.start, line.end).total_cents * 10**7 == line.nanos

    page = browser.get(links(page, "hours")[0]).content.decode()
    assert "Both are the same." in page
    assert all(event.request_id in page for event in UsageEvent.objects.all())

    page = browser.get(links(page, "requests")[0]).content.decode()
    assert "Computed again just now: the same." in page
    assert "1 × request at $0.001234567 / request" in page


def test_a_difference_is_said(workspace: Workspace, owner: User) -> None:
    price = publish("product", {"request": 1_500_000_000})
    event = used(workspace, price, {"request": 1}, cost_nanos=9_999)
    hour = event.recorded_at.replace(minute=0, second=0, microsecond=0)
    Report.objects.create(
        identifier="rep-1", workspace=workspace, hour=hour, part=1, nanos=5_000, value=5, timestamp=event.recorded_at
    )
    begin, end = (int((hour + timedelta(days=at)).timestamp()) for at in (-10, 10))
    lines = [{"description": "usage", "cents": 9, "quantity": 6, "usage": True, "start": begin, "end": end}]
    Invoice.objects.create(
        stripe_id="in_x", workspace=workspace, status="paid", currency="usd", total_cents=10, lines=lines,
        period_start=hour, period_end=hour, created_at=hour,
    )  # fmt: skip
    browser = signed_in(owner)
    assert "They differ: $0.10 above, $0.09 here." in browser.get("/billing/invoices/in_x").content.decode()
    page = browser.get("/billing/invoices/in_x/reports/0").content.decode()
    assert "They differ: $0.000006 above, $0.000005 here." in page
    assert "They differ: $0.09 above, $0.00 here." in page
    assert "it would be another amount" in browser.get(f"/billing/requests/{event.pk}").content.decode()


def test_an_invoice_is_its_lines_and_the_tax(workspace: Workspace, owner: User) -> None:
    at, now = int(timezone.now().timestamp()), timezone.now()
    fee = {"description": "Base fee", "cents": 2_000, "quantity": 1, "usage": False, "start": at, "end": at + 1}
    Invoice.objects.create(
        stripe_id="in_t", workspace=workspace, number="M-7", status="open", currency="usd", total_cents=2_380, tax_cents=380,
        lines=[fee], period_start=now, period_end=now, created_at=now, hosted_url="https://x/1", pdf_url="https://x/1.pdf",
    )  # fmt: skip
    page = signed_in(owner).get("/billing/invoices/in_t").content.decode()
    for shown in ("Invoice M-7", "Base fee", "$20.00", "$3.80", "$23.80", "Both are the same.", "https://x/1.pdf"):
        assert shown in page
    assert signed_in(owner).get("/billing/invoices/in_t/reports/0").status_code == 404  # no usage in it
    assert signed_in(owner).get("/billing/invoices/in_t/reports/1").status_code == 404


def test_others_charges_do_not_exist_and_those_who_do_not_pay_see_no_invoice(
    workspace: Workspace, owner: User, stranger: User, teammate: User
) -> None:
    event = used(workspace, None, {"request": 1})
    Invoice.objects.create(
        stripe_id="in_x", workspace=workspace, status="paid", currency="usd", total_cents=0, period_start=event.recorded_at,
        period_end=event.recorded_at, created_at=event.recorded_at,
    )  # fmt: skip
    admin, member, operator = person("ada@example.com"), person("mia@example.com"), person("otto@example.com")
    for user, role in ((admin, Role.ADMIN), (member, Role.MEMBER)):
        Membership.objects.create(workspace=workspace, user=user, role=role)
    User.objects.filter(pk=operator.pk).update(is_staff=True, is_superuser=True)
    expected = {
        owner: (200, 200),
        admin: (200, 200),
        member: (403, 200),
        teammate: (403, 200),
        stranger: (404, 404),
        operator: (404, 404),
    }
    for user, statuses in expected.items():
        browser: Client = signed_in(user)
        browser.post("/settings/workspace", {"workspace": workspace.pk})
        got = tuple(
            browser.get(path).status_code for path in ("/billing/invoices/in_x", f"/billing/requests/{event.pk}")
        )
        assert got == statuses, user
        page = browser.get("/billing").content.decode()
        assert ("/billing/invoices/in_x" in page) == (statuses[0] == 200)
    # Operators see every record in their console.
    assert signed_in(operator).get("/admin/billing/invoice/in_x/change/").status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "hours/2026013199",
        "hours/x",
        "hours/99991231235",
        "hours/9999123123",
        "hours/０１２３４５６７８９",
        "invoices/in_none",
        "requests/use_none",
    ],
)
def test_addresses_that_name_nothing_are_404(owner: User, address: str) -> None:
    assert signed_in(owner).get(f"/billing/{address}").status_code == 404


def test_people_see_the_daily_comparison(workspace: Workspace, owner: User, stranger: User) -> None:
    day, now = timezone.now().date() - timedelta(days=2), timezone.now()
    Reconciliation.objects.create(
        workspace=workspace, day=day, ours=1_000, theirs=990, outcome=Outcome.CORRECTED, corrections=1, corrected=-10,
        checked_at=now,
    )  # fmt: skip
    Reconciliation.objects.create(workspace=workspace, day=now.date(), due_at=now)
    page = signed_in(owner).get("/billing/reconciliation").content.decode()
    for shown in (date_format(day), "$0.001", "$0.00099", "−$0.00001", "not compared yet"):
        assert shown in page
    assert date_format(day) not in signed_in(stranger).get("/billing/reconciliation").content.decode()

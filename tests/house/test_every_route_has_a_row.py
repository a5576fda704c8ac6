"""Every address × everybody: what they may see. An address without a row fails."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from billing.metering.models import UsageEvent
from billing.models import Payout
from billing.plans.seeds import seed_plans
from billing.stripe.models import Invoice
from portal.accounts.models import Membership, Role, User, Workspace
from tests.fixtures.people import signed_in
from tests.house.belongings import named_in
from tests.house.rows import LOGIN, ROWS, WHO


def names(resolver: URLResolver | None = None) -> set[str]:
    """Of our own addresses; allauth's and the console's have their own guards."""
    found = set()
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLPattern):
            found.add(str(entry.name))
        elif not str(entry.pattern).startswith(("accounts/", "admin/")):
            found |= names(entry)
    return found


@pytest.fixture
def everybody(owner: User, workspace: Workspace, teammate: User, stranger: User) -> list[Client]:
    from marketplace.catalog.models import Model
    from tests.fixtures.people import person

    seed_plans()
    Payout.objects.create(pk="payout_olga", seller=workspace, cents=2_500, state="paid")
    charged(workspace)
    Model.objects.create(publisher=workspace, name="secret", task="tensor", title="Secret", visibility="workspace")
    member = person("mia@example.com")
    Membership.objects.create(workspace=workspace, user=member, role=Role.MEMBER)
    clients = [Client(), signed_in(stranger), signed_in(teammate), signed_in(member), signed_in(owner)]
    for client in clients[2:4]:
        client.post("/settings/workspace", {"workspace": workspace.pk})
    return clients


def charged(workspace: Workspace) -> None:
    """An invoice `in_1` and a request `use_1` of the workspace."""
    then = datetime(2026, 1, 1, 12, tzinfo=UTC)
    line = {"description": "usage", "cents": 0, "quantity": 0, "usage": True, "start": 1767225600, "end": 1769904000}
    Invoice.objects.create(
        stripe_id="in_1", workspace=workspace, status="paid", currency="usd", total_cents=0, lines=[line],
        period_start=then, period_end=then, created_at=then,
    )  # fmt: skip
    UsageEvent.objects.create(
        id="use_1", request_id="req_1", workspace_id=workspace.pk, model="olga/secret", version_id="v", protocol="openai",
        units={"request": 1}, price_id="", cost_nanos=0, latency_ms=1, recorded_at=then,
    )  # fmt: skip


def test_every_address_has_a_row() -> None:
    assert names() == set(ROWS)


def test_everybody_sees_what_they_may(everybody: list[Client], workspace: Workspace) -> None:
    wrong = []
    for name, (method, path, *expected) in ROWS.items():
        for who, client, status in zip(WHO, everybody, expected, strict=True):
            body: dict[str, Any] = {"data": {}} if method == "POST" else {}
            answer = getattr(client, method.lower())(path.format(**named_in(path, workspace)), **body)
            to_login = answer.headers.get("Location", "").startswith("/accounts/login/")
            if answer.status_code != status or to_login != (
                status == LOGIN and who == "anonymous" and name != "set_language"
            ):
                wrong.append(f"{name} as {who}: {answer.status_code} instead of {status}")
            if not answer.streaming and b"Traceback" in answer.content:
                wrong.append(f"{name} as {who} shows a traceback")
    assert not wrong


def test_the_console_is_for_operators(everybody: list[Client], owner: User) -> None:
    for client in everybody:
        assert client.get("/admin/").status_code == 302
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    assert signed_in(owner).get("/admin/").status_code == 200

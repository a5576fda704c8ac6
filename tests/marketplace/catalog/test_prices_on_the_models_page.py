"""A model's page: what it costs, what it cost before, what it will cost, and what the visitor's workspace pays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from billing.metering import recorder
from billing.metering.recorder import Usage
from billing.plans import terms
from billing.prices import book, publishing
from billing.prices.quote import GRADUATED, Scheme, Step, Tiers
from marketplace.catalog import pricing
from marketplace.catalog.models import Model
from marketplace.publishing import importing
from marketplace.tasks.task import ModelSpec
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in

USED = Usage(
    request_id="req_x", workspace_id="", key_id="", model="acme/writer", version_id="ver_x", replica="", protocol="openai",
    units={}, price_id="", cost_nanos=0, lease_id="", funding="", latency_ms=3,
)  # fmt: skip


@pytest.fixture
def writer(transactional_db: None) -> Model:
    """A chat model at $2 a million tokens, which costs $1 since."""
    acme = Workspace.objects.create(slug="acme", name="Acme")
    brought = importing.Brought("chat", "openai", "http://127.0.0.1:9/v1", ModelSpec(), {})
    version = importing.add_version(acme, "writer", brought, Scheme({"output_token": 2 * 10**9}))
    pricing.set_price(version.model, {"output_token": 10**9})
    return version.model


def page(client: Client) -> str:
    terms.forget()
    return client.get("/models/acme/writer").content.decode()


def test_it_shows_the_price_and_those_before_it(writer: Model) -> None:
    said = page(Client())
    assert "$1.00 / 1M output tokens" in said
    assert "$2.00 / 1M output tokens" in said
    assert '"steps": true' in said
    assert "Your workspace pays" not in said


def test_a_coming_price_is_announced_with_its_day(writer: Model, workspace: Workspace) -> None:
    recorder.record(replace(USED, workspace_id=workspace.pk))
    coming = pricing.set_price(writer, {"output_token": 3 * 10**9})
    assert coming.starts_at > timezone.now() + timedelta(days=13)
    said = page(Client())
    assert f"From {date_format(coming.starts_at, 'DATETIME_FORMAT')} UTC: $3.00 / 1M output tokens" in said
    assert pricing.announce(timezone.now()) == 1
    assert pricing.announce(timezone.now()) == 0


def test_a_price_of_ones_own_is_shown_to_its_workspace_alone(writer: Model, owner: User, stranger: User) -> None:
    publishing.negotiate(writer.pk, owner.personal_workspace.pk, {"output_token": 5 * 10**8})
    assert "Your workspace pays $0.50 / 1M output tokens" in page(signed_in(owner))
    assert "Your workspace pays" not in page(signed_in(stranger))
    assert "$0.50" not in page(signed_in(stranger))


def test_tiers_are_said_one_by_one(writer: Model) -> None:
    tiers = {"output_token": Tiers(GRADUATED, (Step(1_000, 0), Step(None, 9 * 10**8)))}
    price = pricing.set_price(writer, {}, tiers=tiers, minimum_nanos=5)
    assert book.lines(price.scheme) == [
        ("1M output tokens, 1–1,000 a month", "$0.00"),
        ("1M output tokens, from 1,001 a month", "$0.90"),
        ("request, at least", "$0.000000005"),
    ]
    assert "$0.00–$0.90 / 1M output tokens · at least $0.000000005 a request" in page(Client())

"""What is held for a call covers what it may cost, at prices of every kind, and no more than its max_cost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.errors import CostTooHigh
from billing.metering import months
from billing.plans import terms
from billing.prices import firm, publishing
from billing.prices.month import Month
from billing.prices.quote import GRADUATED, Scheme, Step, Tiers
from inference import plan as planning
from inference.call import Call, Wishes
from marketplace.catalog.models import Model
from marketplace.publishing import importing
from marketplace.tasks.task import ModelSpec
from portal.accounts.keys.lookup import Caller
from portal.accounts.models import Workspace
from tests.billing.prices.schemes import schemes

SAID = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 500}
PERCENTS = st.sampled_from([100, 50, 33])


@pytest.fixture
def writer(transactional_db: None) -> Model:
    """A chat model without a price."""
    acme = Workspace.objects.create(slug="acme", name="Acme")
    brought = importing.Brought("chat", "openai", "http://127.0.0.1:9/v1", ModelSpec(), {})
    return importing.add_version(acme, "writer", brought, None).model


def priced(model: Model, scheme: Scheme) -> str:
    price = publishing.publish(
        model.pk, scheme.rates, tiers=scheme.tiers, minimum_nanos=scheme.minimum_nanos, used=False, confirmed=True
    )
    terms.forget()
    months.forget()
    return price.pk


def planned(workspace: Workspace, **wishes: object) -> planning.Plan:
    caller = Caller(key_id="key_x", workspace_id=workspace.pk, rpm=0)
    call = Call(caller, "acme/writer", "openai", SAID, "req_x", wishes=Wishes(**wishes))  # type: ignore[arg-type]
    return planning.plan(call, 60)


@settings(max_examples=30)
@given(schemes(most_minimum=10**5), PERCENTS, st.integers(0, 10**8), st.integers(0, 500), st.integers(0, 60))
def test_it_covers_whatever_the_call_uses_and_max_cost_is_kept(
    workspace: Workspace, writer: Model, scheme: Scheme, percent: int, most_nanos: int, written: int, read: int
) -> None:
    price_id = priced(writer, scheme)
    try:
        plan = planned(workspace, price_percent=percent, most_nanos=most_nanos)
    except CostTooHigh:
        plan = planned(workspace, price_percent=percent)
        assert plan.most_nanos > most_nanos or scheme.most_rate("output_token", {})
    else:
        assert plan.most_nanos <= most_nanos
    units = {
        "request": 1,
        "input_token": read,
        "output_token": min(written, plan.work.given["max_tokens"]),
        "millisecond": 60_000,
    }
    _, charge = Month().charge(price_id, scheme, units, plan.terms.factor_bp, 10**18)
    cost = charge.cost_nanos if scheme.tiers else scheme.cost(units, plan.terms.factor_bp)
    assert cost <= plan.most_nanos
    assert plan.next_nanos <= plan.most_nanos


def test_a_tier_that_the_call_may_land_in_is_held_for_at_its_rate(workspace: Workspace, writer: Model) -> None:
    priced(writer, Scheme({}, {"output_token": Tiers(GRADUATED, (Step(10_000, 0), Step(None, 10**9)))}))
    plan = planned(workspace)
    assert (plan.most_nanos, plan.next_nanos) == (500_000, 0)


def test_a_quote_pins_version_and_share(workspace: Workspace, writer: Model) -> None:
    old = priced(writer, Scheme({"request": 10**9}))
    _, quote = firm.promise(workspace.pk, writer.pk, old, 8_000)
    priced(writer, Scheme({"request": 5 * 10**9}))
    assert planned(workspace).most_nanos == 5_000
    plan = planned(workspace, quote=quote)
    assert (plan.most_nanos, plan.terms.price_id, plan.terms.factor_bp) == (800, old, 8_000)
    assert planned(workspace, quote=quote, price_percent=50).most_nanos == 400

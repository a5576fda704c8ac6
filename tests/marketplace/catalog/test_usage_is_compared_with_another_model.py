"""What would my last 30 days have cost on another model: re-rated units, and what cannot be compared is said."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from billing.metering.models import UsageEvent
from billing.prices.publishing import negotiate, publish
from billing.prices.quote import Scheme, Step, Tiers
from billing.statements.rerate import rerate
from marketplace.catalog import compare
from marketplace.catalog.models import Model, Version
from marketplace.catalog.visibility import Reader
from portal.accounts.models import User, Workspace
from portal.kit import ids
from tests.fixtures.people import signed_in


def model(publisher: Workspace, name: str, task: str = "chat", **fields: str) -> Model:
    made = Model.objects.create(publisher=publisher, name=name, task=task, title=name.title(), **fields)
    made.live_version = Version.objects.create(model=made, number=1, engine="openai", source="http://x")
    made.save()
    return made


def used(
    workspace: Workspace, slug: str, units: dict[str, int], nanos: int, days: int = 1, status: str = "succeeded"
) -> None:
    UsageEvent.objects.create(
        id=ids.make("use"), request_id="req_x", workspace_id=workspace.pk, model=slug, version_id="v", protocol="openai",
        units=units, price_id="p", cost_nanos=nanos, latency_ms=1, status=status,
        recorded_at=timezone.now() - timedelta(days=days),
    )  # fmt: skip


@pytest.fixture
def other(workspace: Workspace, stranger: User) -> Model:
    """A stranger's public chat model at $1 and $2 a million tokens, and the owner's own usage of others."""
    shop = stranger.personal_workspace
    model(shop, "mine")
    model(shop, "pictures", "image-generation")
    made = model(shop, "other")
    publish(made.pk, {"input_token": 1_000_000_000, "output_token": 2_000_000_000})
    used(workspace, "sam/mine", {"request": 1, "input_token": 1_000, "output_token": 100}, 5_000_000)
    used(workspace, "sam/mine", {"request": 1, "input_token": 500, "output_token": 50}, 2_000_000, days=29)
    used(workspace, "sam/mine", {}, 0, status="failed")
    used(workspace, "sam/mine", {"request": 1, "input_token": 9_999, "output_token": 9}, 9_000_000, days=31)
    used(workspace, "sam/pictures", {"request": 1, "image": 3}, 70_000_000)
    return made


def test_own_usage_of_the_same_task_is_rated_at_the_other_price(
    workspace: Workspace, owner: User, other: Model
) -> None:
    found = compare.compare(other, workspace.pk, timezone.now())
    [row] = found.rows
    assert (row.used.name, row.used.requests, row.used.failed, row.used.cost_nanos) == ("sam/mine", 3, 1, 7_000_000)
    assert row.other.nanos == 1_500 * 1_000 + 150 * 2_000 == found.other_nanos
    assert found.difference_nanos == 1_800_000 - 7_000_000
    assert not found.unmeasured
    page = signed_in(owner).get("/billing/compare?model=sam/other").content.decode()
    for shown in ("$0.007", "$0.0018", "−$0.0052", "sam/mine"):
        assert shown in page
    assert 'href="/billing/compare?model=sam/other"' in signed_in(owner).get("/models/sam/other").content.decode()


def test_what_the_other_bills_and_nobody_measured_is_said(workspace: Workspace, owner: User, other: Model) -> None:
    publish(other.pk, {"input_token": 1_000_000_000, "millisecond": 5_000_000_000}, used=False, confirmed=True)
    compare.terms_of("x", "x", workspace.pk)
    from billing.plans import terms

    terms.forget()
    assert compare.compare(other, workspace.pk, timezone.now()).unmeasured == ["millisecond"]
    assert "not measured:" in signed_in(owner).get("/billing/compare?model=sam/other").content.decode()


def test_a_negotiated_price_counts_for_its_workspace_alone(workspace: Workspace, stranger: User, other: Model) -> None:
    from billing.plans import terms

    negotiate(other.pk, workspace.pk, {"request": 1_000_000_000}, confirmed=True)
    terms.forget()
    assert compare.compare(other, workspace.pk, timezone.now()).other_nanos == 2 * 1_000
    assert compare.compare(other, stranger.personal_workspace.pk, timezone.now()).rows == []


def test_only_models_that_one_may_see_can_be_chosen(
    workspace: Workspace, owner: User, stranger: User, other: Model
) -> None:
    model(stranger.personal_workspace, "secret", visibility="workspace")
    slugs = {found.slug for found in compare.choices(Reader(workspace.pk), timezone.now())}
    assert slugs == {"sam/mine", "sam/other", "sam/pictures"}
    for name in ("sam/secret", "sam/none", "nobody/x"):
        assert signed_in(owner).get(f"/billing/compare?model={name}").status_code == 404
    assert "No usage yet" in signed_in(stranger).get("/billing/compare").content.decode()


@given(
    st.lists(st.dictionaries(st.sampled_from(["request", "input_token", "row"]), st.integers(0, 10**6)), max_size=20),
    st.dictionaries(st.sampled_from(["request", "input_token", "row"]), st.integers(0, 10**12)),
    st.integers(0, 20_000),
)
def test_sums_are_rated_as_their_requests_are_but_for_half_a_nano_each(
    requests: list[dict[str, int]], rates: dict[str, int], factor_bp: int
) -> None:
    scheme, units = Scheme(rates), dict[str, int]()
    for request in requests:
        for name, count in request.items():
            units[name] = units.get(name, 0) + count
    one_by_one = sum(scheme.cost(request, factor_bp) for request in requests)
    assert abs(rerate(units, len(requests), scheme, factor_bp).nanos - one_by_one) <= (len(requests) + 1) / 2


def test_tiers_and_minimums_count() -> None:
    tiers = {"row": Tiers("graduated", (Step(10, 0), Step(None, 1_000_000_000)))}
    assert rerate({"row": 25}, 1, Scheme({}, tiers), 10_000).nanos == 15_000
    assert rerate({"request": 4}, 4, Scheme({"request": 1_000_000}, minimum_nanos=50), 10_000).nanos == 200

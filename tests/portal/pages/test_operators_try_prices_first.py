"""The price book in the console: draft, simulation on real usage, scheduling, negotiated prices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from billing.metering import recorder
from billing.metering.recorder import Usage
from billing.plans import terms
from billing.prices import book, publishing
from billing.prices.models import Price
from billing.prices.quote import Scheme, Step, Tiers
from billing.statements.simulation import Proposal, simulate
from marketplace.catalog.models import Model
from portal.accounts.models import User, Workspace
from tests.fixtures.people import person, signed_in

CENT = 10_000_000
PER = 1_000_000


def use(workspace: Workspace, units: dict[str, int], model: str = "acme/reader") -> None:
    """One request, long ago enough to be free of any lease."""
    recorder.record(
        Usage(
            request_id="req", workspace_id=workspace.pk, key_id="", model=model, version_id="v", replica="r",
            protocol="openai", units=units, price_id="", cost_nanos=0, lease_id="", funding="", latency_ms=1,
        )
    )  # fmt: skip


@pytest.fixture
def reader(workspace: Workspace) -> Iterator[Model]:
    """A model at a cent a row."""
    publisher = person("acme@example.com").personal_workspace
    publisher.slug = "acme"
    publisher.save()
    model = Model.objects.create(publisher=publisher, name="reader", title="Reader", task="tensor", visibility="public")
    publishing.publish(model.pk, {"row": CENT * PER})
    terms.forget()
    yield model
    terms.forget()


@pytest.fixture
def operator(transactional_db: None) -> Client:
    user = person("op@example.com")
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    return signed_in(user)


def test_a_simulation_says_who_pays_more_and_who_less(reader: Model, workspace: Workspace, stranger: User) -> None:
    use(workspace, {"request": 1, "row": 10})
    use(workspace, {"request": 1, "row": 20})
    use(stranger.personal_workspace, {"request": 1, "row": 1})
    use(workspace, {"request": 1, "row": 1000}, model="acme/other")
    tiers = Tiers("graduated", (Step(5, 3 * CENT * PER), Step(None, CENT // 2 * PER)))
    result = simulate([Proposal(reader.pk, reader.slug, Scheme({}, {"row": tiers}))], timezone.now())
    assert (result.total.before_nanos, result.total.requests) == (31 * CENT, 3)
    changes = {effect.name: (effect.before_nanos, effect.after_nanos) for effect in result.workspaces}
    assert changes == {
        workspace.pk: (30 * CENT, 15 * CENT + 25 * CENT // 2),
        stranger.personal_workspace.pk: (CENT, 3 * CENT),
    }
    assert (result.pay_more, result.pay_less) == (1, 1)
    assert [effect.name for effect in result.models] == ["acme/reader"]


def test_a_simulation_is_exact_where_each_request_is_a_whole_price(reader: Model, workspace: Workspace) -> None:
    """What a price brings in a simulation is what the same usage is billed at it."""
    scheme = Scheme({"row": CENT * PER}, {}, 3 * CENT)
    for rows in (1, 2, 3):  # the minimum is told for all together
        use(workspace, {"request": 1, "row": rows * 4})
    result = simulate([Proposal(reader.pk, reader.slug, scheme)], timezone.now())
    assert result.total.after_nanos == 24 * CENT == sum(scheme.cost({"row": n * 4, "request": 1}) for n in (1, 2, 3))


def test_who_negotiated_a_price_keeps_it_in_a_simulation(reader: Model, workspace: Workspace) -> None:
    publishing.negotiate(reader.pk, workspace.pk, {"row": CENT // 2 * PER})
    terms.forget()
    use(workspace, {"request": 1, "row": 10})
    result = simulate([Proposal(reader.pk, reader.slug, Scheme({"row": 2 * CENT * PER}))], timezone.now())
    assert result.total.before_nanos == result.total.after_nanos == 5 * CENT


def test_usage_of_long_ago_is_not_simulated(reader: Model, workspace: Workspace) -> None:
    use(workspace, {"request": 1, "row": 10})
    later = timezone.now() + timedelta(days=31)
    assert simulate([Proposal(reader.pk, reader.slug, Scheme({}))], later).total.requests == 0


def test_a_price_is_drafted_simulated_and_scheduled_with_notice(
    reader: Model, workspace: Workspace, operator: Client
) -> None:
    use(workspace, {"request": 1, "row": 10})
    assert b"acme/reader" in operator.get("/admin/price-book/").content
    form = operator.get("/admin/price-book/models/acme/reader/").content.decode()
    assert 'value="0.01"' in form
    answer = operator.post("/admin/price-book/models/acme/reader/", {"unit_row": "0.02", "minimum": ""})
    assert answer.headers["Location"] == "/admin/price-book/draft/"
    assert Price.objects.count() == 1, "a draft changes nothing"
    page = operator.get("/admin/price-book/draft/").content.decode()
    assert "$0.10" in page
    assert "$0.20" in page
    assert "1 pay more, 0 less" in page
    answer = operator.post("/admin/price-book/draft/schedule/", follow=True)
    price = Price.objects.get(version=2)
    assert price.starts_at > timezone.now() + timedelta(days=13), "a rise of a model in use is announced"
    assert f"acme/reader: from {price.starts_at:%Y-%m-%d %H:%M} UTC." in answer.content.decode()
    assert LogEntry.objects.get().object_id == price.pk
    assert "The draft: 0 prices" in operator.get("/admin/price-book/").content.decode()
    operator.post(f"/admin/price-book/withdraw/{price.pk}/")
    assert Price.objects.count() == 1


def test_a_typing_error_in_the_unit_is_asked_about_before_it_is_scheduled(reader: Model, operator: Client) -> None:
    operator.post("/admin/price-book/models/acme/reader/", {"unit_row": "1000"})
    page = operator.post("/admin/price-book/draft/schedule/", follow=True).content.decode()
    assert "before it was $0.01" in page
    assert Price.objects.count() == 1
    operator.post("/admin/price-book/draft/schedule/", {"confirmed": reader.pk})
    latest = book.current(reader.pk)
    assert latest is not None
    assert latest.rates == {"row": 100_000 * CENT * PER}


def test_a_price_for_one_workspace_holds_at_once_and_can_be_ended(
    reader: Model, workspace: Workspace, operator: Client
) -> None:
    given = {"unit_row": "0.005", "workspace": workspace.slug}
    assert operator.post("/admin/price-book/models/acme/reader/", given).status_code == 302
    terms.forget()
    assert terms.terms_of(reader.pk, reader.slug, workspace.pk).scheme.rates == {"row": CENT // 2 * PER}
    assert workspace.slug in operator.get("/admin/price-book/models/acme/reader/").content.decode()
    operator.post(f"/admin/price-book/models/acme/reader/end/{workspace.slug}/")
    terms.forget()
    assert terms.terms_of(reader.pk, reader.slug, workspace.pk).scheme.rates == {"row": CENT * PER}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"unit_row": "-1"}, "Write an amount"),
        ({"unit_row": "0.0000000001"}, "nine decimals"),
        ({"unit_row": "2000000"}, "out of range"),
        ({"minimum": "lots"}, "Write an amount"),
        ({"unit_row": "10: 1; 5: 2; 3"}, "one after another"),
        ({"unit_row": "volume 10: 1; 2"}, "must fall"),
        ({"unit_row": "1", "workspace": "nobody-here"}, "no workspace"),
        ({"unit_row": "1", "starts_at": "2020-01-01T00:00"}, "has passed"),
        ({"unit_row": "1", "ends_at": "2999-01-01T00:00"}, "Only a negotiated price ends"),
    ],
)
def test_what_cannot_be_is_refused_in_the_form(
    given: dict[str, str], words: str, reader: Model, operator: Client
) -> None:
    page = operator.post("/admin/price-book/models/acme/reader/", given)
    assert page.status_code == 200
    assert words in page.content.decode()
    assert Price.objects.count() == 1


def test_only_operators_see_the_price_book(reader: Model, stranger: User) -> None:
    for path in ("", "draft/", "models/acme/reader/"):
        assert signed_in(stranger).get(f"/admin/price-book/{path}").status_code == 302
    assert signed_in(stranger).post("/admin/price-book/draft/schedule/").status_code == 302

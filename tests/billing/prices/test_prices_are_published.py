"""The next version of a price: when it may start, what is refused, and what must be confirmed."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connections
from django.utils import timezone

from billing.errors import MoneyInvalid, NoticeTooShort, PriceConflict, PriceUnusual
from billing.prices import book, publishing
from billing.prices.models import Price
from billing.prices.quote import GRADUATED, VOLUME, Step, Tiers
from portal.accounts.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)
NOTICE = timedelta(days=14)
MOMENT = timedelta(seconds=30)


def starts_now(price: Price) -> bool:
    return abs(price.starts_at - timezone.now()) < MOMENT


def test_a_first_price_and_a_lower_one_start_at_once() -> None:
    assert starts_now(publishing.publish("thing", {"row": 200}))
    lower = publishing.publish("thing", {"row": 100})
    assert starts_now(lower)
    assert book.current("thing") == lower


def test_a_rise_starts_after_its_notice_and_the_price_before_holds_until_then() -> None:
    old = publishing.publish("thing", {"row": 100})
    new = publishing.publish("thing", {"row": 150})
    assert abs(new.starts_at - timezone.now() - NOTICE) < MOMENT
    assert book.current("thing") == old
    assert book.current("thing", timezone.now() + NOTICE + MOMENT) == new
    assert publishing.publish("thing", {"row": 150}) == new  # asked again
    assert Price.objects.count() == 2


def test_a_rise_that_was_not_announced_in_time_is_refused() -> None:
    publishing.publish("thing", {"row": 100})
    with pytest.raises(NoticeTooShort) as refused:
        publishing.publish("thing", {"row": 101}, starts_at=timezone.now() + timedelta(days=13))
    assert refused.value.code == "price_notice"
    assert Price.objects.count() == 1
    assert publishing.publish("thing", {"row": 101}, starts_at=timezone.now() + timedelta(days=15)).version == 2


def test_a_rise_of_what_nobody_uses_starts_at_once() -> None:
    publishing.publish("thing", {"row": 100})
    assert starts_now(publishing.publish("thing", {"row": 150}, used=False))


FREE_FIRST = Tiers(GRADUATED, (Step(10, 0), Step(None, 100)))
LESS_FREE = Tiers(GRADUATED, (Step(9, 0), Step(None, 100)))


@pytest.mark.parametrize(
    ("old", "new", "rises"),
    [
        ({"rates": {"row": 100}}, {"rates": {"row": 99, "request": 1}}, True),
        ({"rates": {"row": 100}}, {"rates": {"row": 100}, "minimum_nanos": 1}, True),
        ({"rates": {"row": 100}, "minimum_nanos": 5}, {"rates": {"row": 100}, "minimum_nanos": 4}, False),
        ({"rates": {"row": 100}}, {"rates": {}, "tiers": {"row": FREE_FIRST}}, False),
        ({"rates": {}, "tiers": {"row": FREE_FIRST}}, {"rates": {}, "tiers": {"row": LESS_FREE}}, True),
        ({"rates": {}, "tiers": {"row": LESS_FREE}}, {"rates": {}, "tiers": {"row": FREE_FIRST}}, False),
        ({"rates": {"input_token": 100}}, {"rates": {"input_token": 100, "cached_input_token": 10}}, False),
        ({"rates": {"input_token": 100, "cached_input_token": 10}}, {"rates": {"input_token": 100}}, True),
    ],
    ids=[
        "another unit", "a minimum", "a lower minimum", "a free allowance", "a smaller allowance", "a larger allowance",
        "a discount on cached tokens", "no discount any more",
    ],
)  # fmt: skip
def test_what_is_a_rise(old: dict[str, Any], new: dict[str, Any], rises: bool) -> None:
    publishing.publish("thing", **old, confirmed=True)
    assert starts_now(publishing.publish("thing", **new, confirmed=True)) is not rises


@pytest.mark.parametrize(
    "rates", [{"row": 100 * 1_000_000}, {"row": 1_000}, {"row": 0}], ids=["100 ×", "1/1000", "free"]
)
def test_a_price_far_off_its_predecessor_is_refused_until_it_is_confirmed(rates: dict[str, int]) -> None:
    publishing.publish("thing", {"row": 1_000_000})
    with pytest.raises(PriceUnusual) as refused:
        publishing.publish("thing", rates)
    assert (refused.value.code, refused.value.param) == ("price_unusual", "row")
    assert Price.objects.count() == 1
    assert publishing.publish("thing", rates, confirmed=True).rates == rates


def test_a_price_a_hair_within_a_hundred_times_needs_no_confirmation() -> None:
    publishing.publish("thing", {"row": 1_000_000})
    assert publishing.publish("thing", {"row": 99_999_999}).version == 2


def test_a_price_per_token_where_others_have_it_per_million_is_refused() -> None:
    for number, rate in enumerate((100, 150, 900)):
        publishing.publish(f"peer-{number}", {"input_token": rate})
    peers = [f"peer-{number}" for number in range(3)]
    with pytest.raises(PriceUnusual):
        publishing.publish("thing", {"input_token": 150 * 1_000_000}, peers=peers)
    assert publishing.publish("thing", {"input_token": 5_000}, peers=peers).version == 1
    assert (
        publishing.publish("other", {"input_token": 150 * 1_000_000}, peers=peers[:2]).version == 1
    )  # two say nothing


@pytest.mark.parametrize(
    "given",
    [
        {"rates": {"row": -1}},
        {"rates": {"row": 1.5}},
        {"rates": {"row": True}},
        {"rates": {"row": 10**19}},
        {"rates": {"row": 1_001 * 10**9 * 10**6}},
        {"rates": {"hug": 1}},
        {"rates": {"row": 1}, "minimum_nanos": -1},
        {"rates": {"row": 1}, "tiers": {"row": FREE_FIRST}},
        {"rates": {}, "tiers": {"row": Tiers(GRADUATED, ())}},
        {"rates": {}, "tiers": {"row": Tiers(GRADUATED, (Step(10, 1), Step(10, 1), Step(None, 1)))}},
        {"rates": {}, "tiers": {"row": Tiers(GRADUATED, (Step(10, 1),))}},
        {"rates": {}, "tiers": {"row": Tiers(GRADUATED, (Step(None, 1), Step(None, 1)))}},
        {"rates": {}, "tiers": {"row": Tiers(VOLUME, (Step(10, 0), Step(None, 1)))}},
        {"rates": {}, "tiers": {"row": Tiers("stairs", (Step(None, 1),))}},
        {"rates": {}, "tiers": {"hug": FREE_FIRST}},
    ],
)
def test_what_is_no_price_is_refused_and_nothing_is_written(given: dict[str, Any]) -> None:
    with pytest.raises(MoneyInvalid):
        publishing.publish("thing", **given)
    assert not Price.objects.exists()


def test_a_negotiated_price_holds_for_its_workspace_until_it_ends(workspace: Workspace) -> None:
    publishing.publish("thing", {"row": 100})
    now = timezone.now()
    agreed = publishing.negotiate("thing", workspace.pk, {"row": 150}, ends_at=now + timedelta(days=3))
    assert (agreed.version, book.negotiated("thing", workspace.pk, timezone.now())) == (1, agreed)
    assert book.negotiated("thing", "ws_other", timezone.now()) is None
    assert book.negotiated("thing", workspace.pk, now + timedelta(days=3)) is None
    assert book.current("thing") != agreed
    with pytest.raises(MoneyInvalid):
        publishing.negotiate("thing", workspace.pk, {"row": 1}, ends_at=now)
    publishing.end_negotiated("thing", workspace.pk)
    assert book.negotiated("thing", workspace.pk, timezone.now()) is None
    assert publishing.end_negotiated("thing", workspace.pk) is None


def test_a_scheduled_price_can_be_withdrawn_and_one_that_started_cannot() -> None:
    old = publishing.publish("thing", {"row": 100})
    new = publishing.publish("thing", {"row": 150})
    assert not publishing.withdraw(old)
    assert publishing.withdraw(new)
    assert list(book.listed("thing")) == [old]


def test_only_a_negotiated_price_may_end() -> None:
    with pytest.raises(IntegrityError):
        Price.objects.create(product="thing", version=1, rates={}, ends_at=timezone.now() + NOTICE)


def test_of_those_who_publish_at_once_each_has_a_version_or_is_told_to_look_again() -> None:
    ended: list[Price | PriceConflict] = []

    def operator(number: int) -> None:
        try:
            ended.append(publishing.publish("thing", {"row": 1_000 - number}))
        except PriceConflict as error:
            ended.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=operator, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    published = {price.version for price in ended if isinstance(price, Price)}
    assert len(ended) == 6
    assert published == set(Price.objects.values_list("version", flat=True)) == set(range(1, len(published) + 1))

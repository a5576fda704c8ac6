"""`manage.py add_model` says what a version costs: amounts, tiers, a minimum; what it cannot mean is refused, nothing made."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.prices import book
from marketplace.catalog.models import Model

pytestmark = pytest.mark.django_db(transaction=True)


def add(*given: str) -> None:
    common = ("--task", "chat", "--engine", "openai", "--source", "http://127.0.0.1:9/v1")
    call_command("add_model", "acme/writer", *common, *given, stdout=StringIO(), stderr=StringIO())


def price() -> str:
    found = book.current(Model.objects.get(name="writer").pk)
    assert found is not None
    return book.label(found.scheme)


def test_a_price_has_tiers_and_a_minimum() -> None:
    add(
        "--price",
        "input_token = 1,000,000: 0; 2.50",
        "--price",
        "output_token=volume 10: 8; 6",
        "--price-minimum",
        "0.0005",
    )
    assert price() == "$0.00–$2.50 / 1M input tokens · $6.00–$8.00 / 1M output tokens · at least $0.0005 a request"
    found = book.current(Model.objects.get().pk)
    assert found is not None
    assert found.scheme.tiers["input_token"].steps == ((1_000_000, 0), (None, 2_500_000_000))
    assert found.scheme.tiers["output_token"].mode == "volume"


def test_a_version_without_a_price_leaves_that_of_the_model() -> None:
    add()
    assert price() == "Free"
    add("--price-request", "0.002", "--price", "image=0.04")
    add()
    assert price() == "$0.002 / request · $0.04 / image"
    add("--price-request", "0", "--confirm-price")
    assert price() == "Free"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--price", "0.25"], "price: “0.25”: write it like output_token=0.25"),
        (["--price", "token=0.25"], "token: 'token' is not a unit: use one of request, input_token"),
        (["--price", "row="], "row: row has no amount"),
        (["--price", "row=1", "--price", "row=2"], "row: row has two prices"),
        (["--price", "request=1", "--price-request", "1"], "request: request has two prices"),
        (["--price", "row=10: 1; 5: 2; 3"], "row: The tiers of row must end one after another"),
        (["--price", "row=volume 10: 1; 2"], "row: Volume rates of row must fall"),
        (["--price", "row=-1"], "row: Write an amount in dollars"),
        (["--price", "row=2000"], "row: The price of row is out of range"),
        (["--price-input", "NaN"], "input_token: Write an amount in dollars"),
        (["--price-minimum", "a cent"], "'a cent' is not an amount"),
    ],
)
def test_what_is_no_price_is_refused_and_nothing_is_added(given: list[str], told: str) -> None:
    with pytest.raises(CommandError, match="^" + told) as refused:
        add(*given)
    assert refused.value.returncode == 2
    assert not Model.objects.exists()

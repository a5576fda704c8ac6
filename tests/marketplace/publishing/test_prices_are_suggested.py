"""What a request computes tells the least that it should cost; a price that does not pay for it is worth a look."""

from __future__ import annotations

import pytest

from billing.prices.publishing import publish
from marketplace.catalog.pricing import set_price
from marketplace.models import Model, Submission
from marketplace.publishing import evidence, review, submitting, suggesting
from marketplace.training import charges
from portal.accounts.models import Workspace
from tests.fixtures.submissions import TOLD, message

SECOND_NANOS = 200_000  # as seeds have it: $0.0002


@pytest.fixture(autouse=True)
def _computing_costs(transactional_db: None) -> None:
    publish(charges.PRODUCT, {"millisecond": SECOND_NANOS * 1_000})


@pytest.fixture
def submission(workspace: Workspace) -> Submission:
    return submitting.begin(workspace, TOLD, "a.zip", 9)


@pytest.mark.parametrize(
    ("seconds", "units", "lines"),
    [
        (0.1, {"request": 1, "row": 1}, "row=0.00006"),
        (0.1, {"request": 1, "row": 4}, "row=0.000015"),
        (0.0123, {"request": 1, "image": 1}, "image=0.0000074"),
        (1.0, {"request": 1, "input_token": 9, "output_token": 16}, "output_token=38.00"),
        (0.0, {"request": 1}, ""),
    ],
)
def test_the_least_is_three_times_what_computing_costs(seconds: float, units: dict[str, int], lines: str) -> None:
    assert suggesting.lines(seconds, units) == lines


@pytest.mark.parametrize(
    ("price", "status", "reason"),
    [
        ("row=0.0001", "passed", "fair"),
        ("row=0.00001", "warned", "below"),
        ("", "warned", "free"),
        ("request=0.0001", "passed", "fair"),
        ("millisecond=0.0003", "passed", "fair"),
    ],
)
def test_a_price_is_held_against_it(submission: Submission, price: str, status: str, reason: str) -> None:
    submission.price = price
    found = suggesting.found(submission, 0.1, {"request": 1, "row": 1})
    assert (found.status, found.reason) == (status, reason)
    review.write(submission, found)
    assert "$0.00006 / row" in message(submission, "price")


def test_a_price_far_from_what_others_ask_is_told(submission: Submission, workspace: Workspace) -> None:
    for number in range(3):
        other = Model.objects.create(publisher=workspace, name=f"other-{number}", task="tensor", title="Other")
        set_price(other, {"row": SECOND_NANOS * 10**6}, confirmed=True)
    submission.price = "row=1"
    found = suggesting.found(submission, 0.1, {"request": 1, "row": 1})
    assert (found.status, found.reason) == ("warned", "unusual")
    review.write(submission, found)
    assert "Half of the models of this task cost more than $0.0002 a request." in message(submission, "price")
    assert evidence.of(submission)[-1]["figure"] == "$1.00"

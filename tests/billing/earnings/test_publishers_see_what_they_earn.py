"""/publisher: figures, reasons, and who may do what."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from billing.earnings import accrual, audit, payouts, take_backs
from billing.earnings.models import Agreement, Destination, DestinationState, Payout, PayoutState, Publisher
from billing.ledger.balances import balance
from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.models import User, Workspace
from tests.billing.earnings.using import HOUR, NOW, used
from tests.fixtures.people import signed_in

DOLLAR = 1_000_000_000
DAY = timedelta(days=1)


@pytest.fixture
def earned(workspace: Workspace, stranger: User) -> Iterator[Workspace]:
    used(stranger, workspace, 100 * DOLLAR, at=NOW - DAY * 10)
    used(stranger, workspace, 10 * DOLLAR + 1, at=NOW - DAY, model="olga/small")
    accrual.accrue(NOW)
    yield workspace
    assert not audit.differences()


def seen(user: User, path: str = "/publisher") -> str:
    answer = signed_in(user).get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_empty_page_teaches_how_to_earn(owner: User) -> None:
    page = seen(owner)
    assert "Nothing was earned yet" in page
    assert "less 20 %" in page
    assert "The platform keeps $2.00, and you earn $8.00" in page
    assert "Set up payouts at Stripe" in page
    assert "No payout yet" in seen(owner, "/publisher/payouts")


def test_usage_of_the_running_hour_is_announced(owner: User, workspace: Workspace, stranger: User) -> None:
    used(stranger, workspace, 10 * DOLLAR, at=timezone.now())
    assert "About $8.00 so far" in seen(owner)


def test_earnings_are_shown_by_day_and_model_and_add_up(owner: User, earned: Workspace) -> None:
    page = seen(owner)
    for figure in ("$80.00", "$20.00", "$100.00", "$8.00", "$2.000000001", "$88.00", "$110.000000001"):
        assert figure in page
    assert "$88.00 was earned in 30 days" in page, "who does not see the chart reads this"
    assert f"{NOW - DAY * 10:%Y-%m-%d}" in page


def test_a_period_can_be_chosen_and_a_wrong_one_is_refused(owner: User, earned: Workspace) -> None:
    page = seen(owner, f"/publisher?from={NOW - DAY * 2:%Y-%m-%d}")
    assert "olga/small" in page
    assert "olga/net" not in page
    assert signed_in(owner).get("/publisher?from=yesterday").status_code == 422


def test_the_csv_has_each_earning_exactly(owner: User, earned: Workspace, stranger: User) -> None:
    body = b"".join(signed_in(owner).get("/publisher/earnings.csv").streaming_content).decode()  # type: ignore[arg-type]
    rows = list(csv.DictReader(io.StringIO(body)))
    assert [(row["model"], row["used_usd"], row["fee_percent"], row["fee_usd"], row["earned_usd"]) for row in rows] == [
        ("olga/net", "100.00", "20", "20.00", "80.00"),
        ("olga/small", "10.000000001", "20", "2.000000001", "8.00"),
    ]
    others = b"".join(signed_in(stranger).get("/publisher/earnings.csv").streaming_content).decode()  # type: ignore[arg-type]
    assert len(others.splitlines()) == 1


def test_what_was_taken_back_is_shown_with_its_reason_and_not_whose_it_was(
    owner: User, earned: Workspace, stranger: User
) -> None:
    payer = stranger.personal_workspace
    take_backs.take_back(
        payer.pk, NOW - DAY * 11, NOW - DAY * 9, (1, 2), "refund:re_1", f"Invoice of {payer.slug}: too slow"
    )
    take_backs.carry_out(NOW)
    page = seen(owner)
    assert "A customer&#x27;s payment was refunded" in page
    assert "$40.00" in page
    assert payer.slug not in page
    assert payer.pk not in page


def test_a_negative_balance_is_said_with_what_becomes_of_it(owner: User, earned: Workspace, stranger: User) -> None:
    Destination.objects.create(stripe_id="acct_1", seller=earned, country="DE", state=DestinationState.ACTIVE)
    signed_in(owner).post("/publisher/payouts/now")
    payout = Payout.objects.get()
    payouts.begin(payout, NOW)
    payouts.paid(payout, "tr_1")
    payer = stranger.personal_workspace.pk
    take_backs.take_back(payer, NOW - DAY * 11, NOW - DAY * 9, (1, 1), "dispute:dp_1", "A customer disputed a payment")
    take_backs.carry_out(NOW)
    assert "Your balance is −$80.00" in seen(owner)


def test_who_governs_asks_for_a_payout_and_chooses_the_payday(owner: User, earned: Workspace) -> None:
    client = signed_in(owner)
    assert b"Set up where the money goes first" in client.post("/publisher/payouts/now", follow=True).content
    Destination.objects.create(stripe_id="acct_1", seller=earned, country="DE", state=DestinationState.ACTIVE)
    assert b"Pay out $80.00 now" in client.get("/publisher/payouts").content
    assert b"$80.00 is being sent" in client.post("/publisher/payouts/now", follow=True).content
    assert b"on its way already" in client.post("/publisher/payouts/now", follow=True).content
    assert Payout.objects.get().state == PayoutState.PENDING
    assert (
        b"Saved"
        in client.post("/publisher/payouts/schedule", {"schedule": "weekly", "minimum": "$30"}, follow=True).content
    )
    assert (Publisher.objects.get().schedule, Publisher.objects.get().minimum_cents) == ("weekly", 3_000)
    assert b"the smallest payout" not in client.get("/publisher/payouts").content


@pytest.mark.parametrize(
    "minimum", ["-5", "0", "24.99", "30.001", "1e400", "NaN", "thirty", "", "99999999999", "٣٠", "30 €"]
)
def test_an_amount_that_is_none_changes_nothing(owner: User, earned: Workspace, minimum: str) -> None:
    before = (Publisher.objects.values().get(), balance(earned.pk))
    page = signed_in(owner).post("/publisher/payouts/schedule", {"schedule": "weekly", "minimum": minimum})
    assert page.status_code == 422
    shown = page.content.decode()
    assert re.search(r'id="minimum-error" role="alert">[^<]*smallest payout', shown)
    assert f'value="{minimum}" aria-invalid="true"' in shown
    assert '<option value="weekly" selected>' in shown, "what was entered is still there"
    assert (Publisher.objects.values().get(), balance(earned.pk)) == before


@pytest.mark.parametrize("country", ["", "KP", "de", "Germany", "US' OR 1=1"])
def test_a_country_that_cannot_be_paid_is_refused(owner: User, country: str) -> None:
    page = signed_in(owner).post("/publisher/onboarding", {"country": country}, follow=True)
    assert b"Choose one from the list" in page.content
    assert not Destination.objects.exists()


def test_a_payout_of_another_workspace_does_not_exist(owner: User, stranger: User, earned: Workspace) -> None:
    made = Payout.objects.create(seller=earned, cents=2_500, state=PayoutState.FAILED, error="The bank <said> no.")
    assert "The bank &lt;said&gt; no." in seen(owner, f"/publisher/payouts/{made.pk}")
    client = signed_in(stranger)
    for guess in (made.pk, f"{made.pk[:-1]}0", "payout_", "x" * 300, "%00"):
        assert client.get(f"/publisher/payouts/{guess}").status_code == 404


def test_a_viewer_sees_and_does_nothing(teammate: User, earned: Workspace) -> None:
    client = signed_in(teammate)
    client.post("/settings/workspace", {"workspace": earned.pk})
    page = client.get("/publisher").content.decode()
    assert "$88.00" in page
    assert "Set up payouts at Stripe" not in page
    assert "Ask an owner or administrator" in page
    before = Publisher.objects.values().get()
    for path in ("payouts/now", "payouts/schedule", "onboarding"):
        assert client.post(f"/publisher/{path}", {"schedule": "weekly", "minimum": "30"}).status_code == 403
    assert Publisher.objects.values().get() == before
    assert (HOUR, Payout.objects.count()) == (timedelta(hours=1), 0)


def asked(workspace: Workspace, query: str = "", scopes: tuple[str, ...] = ("usage",)) -> HttpResponse:
    _key, secret = issue(workspace, "a key", limits=Limits(scopes=scopes))
    answer: HttpResponse = Client().get(f"/v1/earnings?{query}", headers={"authorization": f"Bearer {secret}"})
    return answer


def test_programs_read_earnings_by_day_and_model(earned: Workspace, stranger: User) -> None:
    told = asked(earned, f"group_by=model&from={NOW - DAY * 20:%Y-%m-%d}").json()
    assert [(row["model"], row["used"], row["fee"], row["earned_nanos"]) for row in told["data"]] == [
        ("olga/net", "100.00", "20.00", 80 * DOLLAR),
        ("olga/small", "10.000000001", "2.000000001", 8 * DOLLAR),
    ]
    assert told["balance"] == {
        "owed": "88.00", "held": "8.00", "under_way": "0.00", "available": "80.00", "paid": "0.00",
    }  # fmt: skip
    days = asked(earned, f"from={NOW - DAY * 20:%Y-%m-%d}").json()["data"]
    assert sum(day["earned_nanos"] for day in days) == 88 * DOLLAR
    assert asked(stranger.personal_workspace, "group_by=model").json()["data"] == []


def test_a_key_without_the_scope_and_a_wrong_question_are_refused(earned: Workspace) -> None:
    assert asked(earned, scopes=("inference",)).status_code == 403
    assert asked(earned, "group_by=customer").json()["error"]["param"] == "group_by"
    assert asked(earned, "from=soon").status_code == 422


def test_operators_agree_with_publishers_and_move_payouts(owner: User, earned: Workspace) -> None:
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    client = signed_in(owner)
    now = timezone.now()
    form = {
        "seller": earned.pk, "fee_bp": "12.5 %", "minimum_cents": "$30.00", "hold_days": 3, "note": "",
        "starts_at_0": f"{now:%Y-%m-%d}", "starts_at_1": f"{now:%H:%M:%S}",
    }  # fmt: skip
    asked = client.get("/admin/billing/agreement/add/").content
    assert b'value="20"' in asked, "the standard fee, in percent"
    assert b'value="25.00"' in asked
    for field, value, told in (
        ("fee_bp", "100.01", b"between 0 and 100 percent"), ("fee_bp", "-1", b"between 0 and 100 percent"),
        ("fee_bp", "12.345", b"in percent, with at most two decimals, like 12.5"), ("fee_bp", "a tenth", b"in percent"),
        ("fee_bp", "NaN", b"in percent"), ("fee_bp", "", b"required"), ("minimum_cents", "0", b"between $0.01 and $10,000"),
        ("minimum_cents", "30.001", b"in dollars and cents, like 25.00"), ("minimum_cents", "1e99", b"in dollars and cents"),
    ):  # fmt: skip
        assert told in client.post("/admin/billing/agreement/add/", {**form, field: value}).content, (field, value)
    past = client.post("/admin/billing/agreement/add/", {**form, "starts_at_0": "2020-01-01"})
    assert b"from now on or later" in past.content
    assert not Agreement.objects.exists()
    assert client.post("/admin/billing/agreement/add/", form).status_code == 302
    assert (Agreement.objects.get().fee_bp, Agreement.objects.get().minimum_cents) == (1_250, 3_000)
    listed = client.get("/admin/billing/agreement/").content
    assert b"12.5 %" in listed
    assert b"$30.00" in listed
    made = Payout.objects.create(seller=earned, cents=2_500)
    for page in ("agreement", "publisher", "destination", "earning", "reversal", "takeback", "payout"):
        assert client.get(f"/admin/billing/{page}/").status_code == 200
    acts = {"action": "cancel", "_selected_action": [made.pk]}
    assert client.post("/admin/billing/payout/", acts).status_code == 302
    made.refresh_from_db()
    assert made.state == PayoutState.CANCELED
    assert b"has ended" in client.post("/admin/billing/payout/", {**acts, "action": "try_again"}, follow=True).content
    change = client.post(f"/admin/billing/payout/{made.pk}/change/", {"cents": 9_999_999})
    made.refresh_from_db()
    assert (change.status_code, made.cents) == (403, 2_500)

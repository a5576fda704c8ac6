"""Payouts at Stripe's stand-in: one transfer each, whatever is lost, refused, repeated or killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from billing.earnings import accrual, audit, payouts
from billing.earnings.models import Destination, DestinationState, Payout, PayoutState
from billing.errors import OnboardingRefused, StripeUnavailable
from billing.ledger import audit as ledger_audit
from billing.ledger.balances import balance
from billing.stripe import connect, topups, transfers
from billing.stripe.client import client
from portal.accounts.models import Mail, User, Workspace
from tests.billing.earnings.using import NOW, used
from tests.fixtures.payments import Stripe
from tests.fixtures.people import signed_in
from tests.fixtures.spenders import _test_database
from tests.house.tree import ROOT

DOLLAR = 1_000_000_000
DAY = timedelta(days=1)
S = PayoutState
DETAILS = {"given_name": "Olga", "surname": "Orlova", "country": "US", "bank_account": "000123456789"}


@pytest.fixture
def selling(at_stripe: Stripe, workspace: Workspace, stranger: User) -> Iterator[Stripe]:
    """$80 that can be paid out; customers have paid $500 to the platform."""
    used(stranger, workspace, 100 * DOLLAR, at=NOW - DAY * 10)
    accrual.accrue(NOW)
    customers_pay(at_stripe, stranger)
    yield at_stripe
    assert not audit.differences()
    assert not ledger_audit.differences()


def customers_pay(at: Stripe, who: User) -> None:
    """$500, and a week passes until the platform may use it."""
    at.pay(topups.start(who.personal_workspace, 50_000, who.email, "once1234", "http://x/", "http://x/"))
    at.sandbox.control("clock", advance_s=8 * 86_400)


def ready(at: Stripe, workspace: Workspace) -> Destination:
    """The workspace's account, filled in on Stripe's page."""
    url = connect.onboard(workspace, "US", "olga@example.com", "http://x/done", "http://x/again")
    assert at.sandbox.press(url, **DETAILS) == "http://x/done"
    return connect.look(Destination.objects.get())


def sent() -> list[dict[str, Any]]:
    return [transfer.to_dict() for transfer in client().v1.transfers.list({"limit": 100}).data]


def owed(workspace: Workspace) -> int:
    return balance(workspace.pk).payable_nanos


def later(**by: int) -> int:
    """Another round of the job, then."""
    return transfers.send_due(timezone.now() + timedelta(**by))


def test_a_publisher_sets_up_an_account_on_stripes_pages_and_sees_what_is_missing(
    selling: Stripe, owner: User, workspace: Workspace
) -> None:
    browser = signed_in(owner)
    answer = browser.post("/publisher/onboarding", {"country": "US"})
    page = answer.headers["Location"]
    assert page.startswith(selling.sandbox.url)
    made = Destination.objects.get()
    assert (made.seller, made.country) == (workspace, "US")
    assert selling.sandbox.press(page, act="later") == "http://testserver/publisher/onboarding/done"
    browser.get("/publisher/onboarding/done")
    shown = browser.get("/publisher").content.decode()
    assert "details are missing" in shown
    assert "external_account" in shown
    again = browser.get("/publisher/onboarding/again").headers["Location"]
    assert again != page
    selling.sandbox.press(again, **DETAILS)
    browser.get("/publisher/onboarding/done")
    assert "ready for payouts" in browser.get("/publisher").content.decode()
    browser.post("/publisher/onboarding", {"country": "US"})
    assert Destination.objects.count() == 1, "one account a country, however often it is asked for"


def test_an_account_that_is_ready_is_noticed_without_its_owner(selling: Stripe, workspace: Workspace) -> None:
    url = connect.onboard(workspace, "US", "olga@example.com", "http://x/done", "http://x/again")
    assert connect.look(Destination.objects.get()).state == DestinationState.INCOMPLETE
    selling.sandbox.press(url, **DETAILS)
    assert connect.look_at_all(timezone.now()) == 0
    assert connect.look_at_all(timezone.now() + timedelta(minutes=3)) == 1
    assert Destination.objects.get().state == DestinationState.ACTIVE
    selling.sandbox.control("accounts", account=Destination.objects.get().pk, status="restricted")
    assert connect.look_at_all(timezone.now() + timedelta(hours=1)) == 0
    assert connect.look_at_all(timezone.now() + timedelta(days=2)) == 1
    assert Destination.objects.get().state == DestinationState.INCOMPLETE


def test_stripe_that_is_away_is_said_so_and_nothing_is_half_done(selling: Stripe, workspace: Workspace) -> None:
    ready(selling, workspace)
    payouts.request(workspace.pk, timezone.now())
    selling.sandbox.stop()
    with pytest.raises(StripeUnavailable):
        connect.look(Destination.objects.get())
    assert later(minutes=1) == 0
    assert (Payout.objects.get().state, owed(workspace)) == (S.PENDING, 80 * DOLLAR)
    selling.sandbox.start()


def test_an_account_that_stripe_does_not_know_is_refused(selling: Stripe, workspace: Workspace) -> None:
    made = Destination.objects.create(stripe_id="acct_gone", seller=workspace, country="US", state="active")
    assert connect.look(made).reason == "account_missing"
    with pytest.raises(OnboardingRefused):
        connect.resume(made, "http://x/done", "http://x/again")


def test_a_payout_is_one_transfer_and_its_publisher_is_told(selling: Stripe, workspace: Workspace) -> None:
    account = ready(selling, workspace)
    payout = payouts.request(workspace.pk, timezone.now())
    assert later(seconds=1) == 1
    for _ in range(3):
        assert later(days=1) == 0
    payout.refresh_from_db()
    (transfer,) = sent()
    assert (transfer["amount"], transfer["destination"], transfer["id"]) == (8_000, account.pk, payout.transfer_id)
    assert (payout.state, owed(workspace)) == (S.PAID, 0)
    assert "$80.00" in Mail.objects.get(key__startswith=f"payout:{payout.pk}").body


@pytest.mark.parametrize(("fault", "count"), [("lose_reply", 3), ("rate_limit", 1), ("server_error", 3)])
def test_an_answer_that_does_not_say_moves_no_money_twice(
    selling: Stripe, workspace: Workspace, fault: str, count: int
) -> None:
    ready(selling, workspace)
    payout = payouts.request(workspace.pk, timezone.now())
    selling.sandbox.control("faults", kind=fault, path="/v1/transfers", count=count)
    assert later(seconds=1) == 0
    payout.refresh_from_db()
    assert (payout.state, owed(workspace)) == (S.SENDING, 0), "nobody knows, so it is neither paid nor given back"
    assert later(hours=2) == 1
    assert len(sent()) == 1
    assert owed(workspace) == 0


def test_a_reply_that_was_lost_is_found_when_its_key_is_forgotten(
    selling: Stripe, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(selling, workspace)
    payout = payouts.request(workspace.pk, timezone.now())
    selling.sandbox.control("faults", kind="lose_reply", path="/v1/transfers", count=3)
    later(seconds=1)
    payout.refresh_from_db()
    (transfer,) = sent()
    # As a day later: the key is not known any more.
    monkeypatch.setattr(transfers, "key", lambda payout: f"another-{payout.pk}")
    assert later(days=2) == 1
    payout.refresh_from_db()
    assert (len(sent()), payout.transfer_id) == (1, transfer["id"])


def test_an_empty_platform_waits_tells_operators_and_pays_when_money_came(
    at_stripe: Stripe, workspace: Workspace, stranger: User, owner: User
) -> None:
    User.objects.filter(pk=owner.pk).update(is_staff=True)
    used(stranger, workspace, 100 * DOLLAR, at=NOW - DAY * 10)
    accrual.accrue(NOW)
    ready(at_stripe, workspace)
    payout = payouts.request(workspace.pk, timezone.now())
    assert later(seconds=1) == 0
    payout.refresh_from_db()
    assert (payout.state, owed(workspace)) == (S.WAITING, 80 * DOLLAR)
    assert payouts.funds(workspace.pk, timezone.now()).available_nanos == 0
    assert payout.pk in Mail.objects.get(key__contains="waits").body
    assert later(hours=1) == 0
    customers_pay(at_stripe, stranger)
    assert later(hours=7) == 1
    assert (len(sent()), owed(workspace)) == (1, 0)
    assert not audit.differences()


def test_an_account_that_was_closed_meanwhile_gets_nothing(selling: Stripe, workspace: Workspace) -> None:
    account = ready(selling, workspace)
    payout = payouts.request(workspace.pk, timezone.now())
    selling.sandbox.control("accounts", account=account.pk, status="restricted")
    assert later(seconds=1) == 0
    payout.refresh_from_db()
    assert (payout.state, owed(workspace), sent()) == (S.FAILED, 80 * DOLLAR, [])
    assert "could not be sent" in Mail.objects.get(key__startswith=f"payout:{payout.pk}").subject


def test_an_account_that_is_closed_at_the_last_moment_gets_nothing(selling: Stripe, workspace: Workspace) -> None:
    account = ready(selling, workspace)
    payout = payouts.request(workspace.pk, timezone.now())
    assert payouts.begin(payout, timezone.now())
    selling.sandbox.control("accounts", account=account.pk, status="restricted")
    assert later(minutes=3) == 0
    payout.refresh_from_db()
    assert (payout.state, owed(workspace), sent()) == (S.FAILED, 80 * DOLLAR, [])


def test_what_stripe_reverses_is_the_publishers_again_once(selling: Stripe, workspace: Workspace) -> None:
    ready(selling, workspace)
    payout = payouts.request(workspace.pk, timezone.now())
    later(seconds=1)
    (transfer,) = sent()
    for cents, left in ((3_000, 30), (5_000, 80)):
        client().v1.transfers.reversals.create(transfer["id"], {"amount": cents})
        for event in selling.events("transfer.reversed", "transfer.updated") * 2:
            selling.deliver(event)
        transfers.changed(transfer["id"])
        assert owed(workspace) == left * DOLLAR
    payout.refresh_from_db()
    assert (payout.state, payout.reversed_cents) == (S.RETURNED, 8_000)


def test_a_transfer_that_came_back_before_its_reply_is_settled(selling: Stripe, workspace: Workspace) -> None:
    ready(selling, workspace)
    payout = payouts.request(workspace.pk, timezone.now())
    selling.sandbox.control("faults", kind="lose_reply", path="/v1/transfers", count=3)
    later(seconds=1)
    (transfer,) = sent()
    client().v1.transfers.reversals.create(transfer["id"], {})
    transfers.changed(transfer["id"])
    payout.refresh_from_db()
    assert (payout.state, owed(workspace)) == (S.RETURNED, 80 * DOLLAR)
    assert later(days=1) == 0


def test_a_transfer_of_somebody_else_changes_nothing(selling: Stripe, workspace: Workspace) -> None:
    account = ready(selling, workspace)
    foreign = client().v1.transfers.create({"amount": 100, "currency": "usd", "destination": account.pk})
    client().v1.transfers.reversals.create(foreign.id, {})
    transfers.changed(foreign.id)
    assert owed(workspace) == 80 * DOLLAR


SENDER = """
import os, signal, sys, django
django.setup()
from datetime import timedelta
from django.utils import timezone
from billing.earnings import payouts
from billing.ledger import postings
from billing.stripe import connect, transfers
where = {"before the account is looked at": (connect, "look", False), "in its transaction": (postings, "pay_out", True),
         "before Stripe is told": (transfers, "_tell", False), "after Stripe was told": (payouts, "paid", False),
         "after it was written down": (payouts, "paid", True)}
module, name, after = where[sys.argv[1]]
real = getattr(module, name)
def dies(*given):
    if after:
        real(*given)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, name, dies)
transfers.send_due(timezone.now() + timedelta(seconds=1))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "state"),
    [
        ("before the account is looked at", S.PENDING),
        ("in its transaction", S.PENDING),
        ("before Stripe is told", S.SENDING),
        ("after Stripe was told", S.SENDING),
        ("after it was written down", S.PAID),
    ],
)
def test_a_sender_that_is_killed_anywhere_sends_once(
    selling: Stripe, workspace: Workspace, where: str, state: PayoutState
) -> None:
    ready(selling, workspace)
    payout = payouts.request(workspace.pk, timezone.now())
    env = {**os.environ, "DATABASE_URL": _test_database(), "STRIPE_API_BASE": selling.sandbox.url}
    env |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "MERCATO_DATA_DIR": str(settings.DATA_DIR)}
    killed = subprocess.run([sys.executable, "-c", SENDER, where], cwd=ROOT, env=env, capture_output=True, timeout=60)
    assert killed.returncode == -9, killed.stderr.decode()[-2000:]
    payout.refresh_from_db()
    assert payout.state == state
    later(minutes=3)
    later(days=3)
    payout.refresh_from_db()
    assert (payout.state, len(sent()), owed(workspace)) == (S.PAID, 1, 0)

"""Coupons: once a workspace, as often as they may, and nobody learns which codes exist."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from billing.credit import coupons
from billing.credit.coupons import CodeRefused
from billing.credit.models import Coupon
from billing.ledger.balances import balance
from billing.ledger.models import Lot
from billing.money import NANOS
from billing.plans.allowances import open_workspace
from portal.accounts.models import User, Workspace
from tests.fixtures.payments import book
from tests.fixtures.people import person, signed_in


def coupon(**given: object) -> Coupon:
    return Coupon.objects.create(**{"code": "SPRING-26", "amount_nanos": 5 * NANOS, "most": 2, "note": "fair", **given})


def test_a_code_gives_credit_that_expires_once(workspace: Workspace, owner: User) -> None:
    coupon()
    browser = signed_in(owner)
    browser.get("/billing/credits")
    answer = browser.post("/billing/credits/redeem", {"code": " spring-26 "}, follow=True)
    assert "$5.00 was added" in answer.content.decode()
    assert balance(workspace.pk).promo_nanos == 6 * NANOS
    lot = Lot.objects.get(source__startswith="coupon:")
    assert lot.expires_at is not None
    assert timedelta(days=89) < lot.expires_at - timezone.now() < timedelta(days=91)
    before = book()
    assert browser.post("/billing/credits/redeem", {"code": "SPRING-26"}).status_code == 422
    assert book() == before


def test_every_refusal_says_the_same(workspace: Workspace, stranger: User) -> None:
    now = timezone.now()
    open_workspace(workspace)
    coupon(code="OVER", until=now - timedelta(seconds=1))
    coupon(code="OFF-OFF", active=False)
    coupon(code="USED-UP", most=1)
    coupons.redeem(stranger.personal_workspace, "USED-UP", now)
    coupon(code="MINE")
    coupons.redeem(workspace, "MINE", now)
    before, said = book(), set()
    for code in ("OVER", "OFF-OFF", "USED-UP", "MINE", "NEVER-WAS", "", "'; drop", "x" * 5000):
        with pytest.raises(CodeRefused) as caught:
            coupons.redeem(workspace, code, now)
        said.add((caught.value.message, caught.value.status))
    assert len(said) == 1
    assert book() == before


def test_guessing_is_stopped_and_passes(workspace: Workspace) -> None:
    coupon()
    now = timezone.now()
    for at in range(coupons.TRIES_AN_HOUR):
        with pytest.raises(CodeRefused):
            coupons.redeem(workspace, f"GUESS-{at}", now)
    with pytest.raises(CodeRefused) as caught:
        coupons.redeem(workspace, "SPRING-26", now)
    assert caught.value.status == 429
    assert coupons.redeem(workspace, "SPRING-26", now + timedelta(minutes=61))


def test_the_last_redemption_goes_to_one_of_two(transactional_db: None) -> None:
    made = coupon(most=1)
    workspaces = [person(f"p{at}@example.com").personal_workspace for at in range(4)]
    got: list[str] = []

    def redeem(workspace: Workspace) -> None:
        try:
            coupons.redeem(workspace, "SPRING-26", timezone.now())
            got.append(workspace.pk)
        except CodeRefused:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=redeem, args=(workspace,)) for workspace in workspaces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    made.refresh_from_db()
    assert made.redeemed == 1

"""/billing/budgets: one form for caps and alerts, how each stands, and what is set aside right now."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from billing.errors import NoBudget
from billing.gate import budgets, caps, holds, tending
from billing.gate.budgets import Wish
from billing.gate.models import Budget, Lease
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Membership, Role, User, Workspace
from tests.billing.gate.test_a_budget_is_never_exceeded import DOLLAR, spend
from tests.fixtures.people import signed_in

CENT = DOLLAR // 100
FORM = {
    "name": "Summer", "whom": "workspace", "period": "month", "amount": "0.10", "stops": "yes", "thresholds": "50, 80",
}  # fmt: skip


@pytest.fixture
def browser(owner: User, funded: Workspace) -> Client:
    return signed_in(owner)


def page(browser: Client, path: str = "/billing/budgets") -> str:
    return browser.get(path).content.decode()


def test_a_cap_that_is_made_here_binds_and_shows_how_it_stands(browser: Client, funded: Workspace) -> None:
    assert browser.post("/billing/budgets", FORM).status_code == 302
    spend(funded, 5 * CENT, 5 * CENT)
    with pytest.raises(NoBudget, match="workspace's cap"):
        holds.hold(funded.pk, "", 6 * CENT)
    shown = page(browser)
    for part in ("Summer", "$0.05 of $0.10 a month", 'value="50"', "the whole workspace", "stops", "50 %, 80 %"):
        assert part in shown
    made = Budget.objects.get()
    assert "Spent or set aside" in page(browser, f"/billing/budgets/{made.pk}")


def test_a_budget_is_for_a_member_or_a_key_too_and_may_only_tell(
    browser: Client, funded: Workspace, owner: User
) -> None:
    key = issue(funded, "laptop", owner)[0]
    for whom, period in ((f"key:{key.pk}", "day"), (f"member:{owner.pk}", "week")):
        form = {**FORM, "name": "", "whom": whom, "period": period, "stops": "no", "thresholds": "90"}
        assert browser.post("/billing/budgets", form).status_code == 302
    rows = Budget.objects.order_by("pk").values_list("key", "member", "period", "stops", "thresholds")
    assert list(rows) == [(key.pk, None, "day", False, [90]), (None, owner.pk, "week", False, [90])]
    shown = page(browser)
    assert "laptop" in shown
    assert "all keys of olga@example.com" in " ".join(shown.split())
    assert "only tells" in shown


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount": "-1"}, "Write an amount"), ({"amount": "0"}, "more than nothing"), ({"amount": ""}, "required"),
        ({"amount": "0.0000000001"}, "nine decimals"), ({"amount": "99999999999999999999"}, "Write an amount"),
        ({"thresholds": "half"}, "whole numbers"), ({"thresholds": "0"}, "per cents"), ({"thresholds": "20000"}, "per cents"),
        ({"thresholds": "", "stops": "no"}, "needs a threshold"), ({"whom": "key:key_x"}, "valid choice"),
        ({"whom": "member:99999"}, "valid choice"), ({"whom": "member:x"}, "valid choice"), ({"period": "year"}, "valid choice"),
        ({"stops": "maybe"}, "valid choice"), ({"name": "x" * 81}, "80"), ({"amount": "0.01"}, "spent or set aside"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_made(
    browser: Client, funded: Workspace, change: dict[str, str], said: str
) -> None:
    spend(funded, 2 * CENT, 2 * CENT)
    answer = browser.post("/billing/budgets", {**FORM, **change})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Budget.objects.exists()


def test_a_second_one_for_the_same_is_refused(browser: Client) -> None:
    browser.post("/billing/budgets", FORM)
    answer = browser.post("/billing/budgets", FORM)
    assert answer.status_code == 422
    assert "There is one like this" in answer.content.decode()


def test_a_form_that_is_sent_back_as_it_was_changes_nothing(browser: Client, funded: Workspace, owner: User) -> None:
    made = budgets.make(funded, Wish("week", "0.25", True, (70,), "Tests", member_id=owner.pk))
    form = browser.get(f"/billing/budgets/{made.pk}").context["form"]
    before = Budget.objects.values().get()
    sent = {name: form[name].value() for name in form.fields}
    assert browser.post(f"/billing/budgets/{made.pk}", sent).status_code == 302
    assert Budget.objects.values().get() == before


def test_a_budget_is_changed_and_ended_on_its_page(browser: Client, funded: Workspace) -> None:
    made = budgets.make(funded, Wish("month", "0.10", True, (50,)))
    spend(funded, 4 * CENT, 4 * CENT)
    tending.close_leases()
    answer = browser.post(f"/billing/budgets/{made.pk}", {**FORM, "amount": "0.03"})
    assert answer.status_code == 422
    assert Budget.objects.get().limit_nanos == 10 * CENT
    browser.post(f"/billing/budgets/{made.pk}", {**FORM, "amount": "0.05", "stops": "no"})
    spend(funded, 9 * CENT, 9 * CENT)
    assert (Budget.objects.get().stops, Budget.objects.get().used_nanos) == (False, 0)
    browser.post(f"/billing/budgets/{made.pk}", {**FORM, "amount": "0.14"})
    assert Budget.objects.get().used_nanos >= 13 * CENT
    assert browser.post(f"/billing/budgets/{made.pk}/end").status_code == 302
    assert not Budget.objects.exists()


def test_a_keys_own_cap_is_the_same_budget(browser: Client, funded: Workspace) -> None:
    key = issue(funded, "laptop")[0]
    cap = caps.set_cap(key, 20 * CENT, "day")
    assert "does not tell" in page(browser)
    form = {**FORM, "whom": f"key:{key.pk}", "period": "day", "amount": "0.30", "thresholds": "50"}
    assert browser.post(f"/billing/budgets/{cap.pk}", form).status_code == 302
    assert "0.30" in page(browser, f"/keys/{key.pk}")
    caps.set_cap(key, 40 * CENT, "day")
    assert Budget.objects.get().thresholds == [50]


def test_what_is_set_aside_is_shown_with_its_server_and_when_it_is_back(browser: Client, funded: Workspace) -> None:
    assert "Nothing: no server holds" in page(browser)
    key = issue(funded, "laptop")[0]
    caps.set_cap(key, 50 * CENT)
    held = holds.hold(funded.pk, key.pk, 7 * CENT)
    shown = page(browser)
    lease = Lease.objects.get()
    assert ":".join(lease.process.split(":")[:2]) in shown
    assert "laptop" in shown
    assert f"{lease.opened_at:%H:%M:%S}" in shown
    assert f"{lease.expires_at + timedelta(seconds=40):%H:%M:%S}" in shown
    [stands] = browser.get("/billing/budgets").context["holdings"]
    assert stands.held_nanos == lease.granted_nanos
    holds.release(held)
    tending.close_leases()
    assert "Nothing: no server holds" in page(browser)


def test_what_a_dead_server_held_is_shown_until_the_sweep(browser: Client, funded: Workspace) -> None:
    Lease.objects.create(
        workspace=funded, process="web-1:77:abc", granted_nanos=CENT, promo_nanos=CENT - 1, expires_at=timezone.now()
    )
    [stands] = browser.get("/billing/budgets").context["holdings"]
    assert (stands.process, stands.held_nanos) == ("web-1:77", CENT)
    assert timezone.now() < stands.back_by <= timezone.now() + timedelta(seconds=40)
    Lease.objects.all().delete()


def test_administrators_change_budgets_and_others_look(funded: Workspace, teammate: User, stranger: User) -> None:
    made = budgets.make(funded, Wish("month", "0.10", True, (50,), "Summer"))
    theirs, his = signed_in(stranger), signed_in(teammate)
    his.post("/settings/workspace", {"workspace": funded.pk})
    for role, status in ((Role.VIEWER, 403), (Role.MEMBER, 403), (Role.ADMIN, 302)):
        Membership.objects.filter(user=teammate, workspace=funded).update(role=role)
        shown = page(his)
        assert "Summer" in shown
        assert ("A new budget" in shown) == (status == 302)
        assert his.post(f"/billing/budgets/{made.pk}", FORM).status_code == status
    assert "Summer" not in page(theirs)
    for path in (f"/billing/budgets/{made.pk}", f"/billing/budgets/{made.pk}/end"):
        assert theirs.post(path, FORM).status_code == 404

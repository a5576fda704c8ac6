"""/v1/budgets: what programs are told."""

from __future__ import annotations

from typing import Any

from django.test import Client

from billing.gate import budgets, caps, holds, tending
from billing.gate.budgets import Wish
from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.models import Key, User, Workspace
from tests.billing.gate.test_a_budget_is_never_exceeded import DOLLAR, spend

CENT = DOLLAR // 100


def ask(workspace: Workspace, path: str, *scopes: str) -> tuple[int, Any, Key]:
    key, secret = issue(workspace, "reads", limits=Limits(scopes=list(scopes)))
    answer = Client().get(path, headers={"authorization": f"Bearer {secret}"})
    return answer.status_code, answer.json(), key


def test_budgets_are_told_as_they_stand(funded: Workspace, owner: User, stranger: User) -> None:
    key, _ = issue(funded, "spends", owner)
    caps.set_cap(key, 20 * CENT, "day")
    budgets.make(funded, Wish("total", "0.50", False, (80,), "Summer"))
    budgets.make(funded, Wish("week", "0.30", True, (50,), member_id=owner.pk))
    spend(funded, 5 * CENT, 3 * CENT, key.pk)
    status, said, _ = ask(funded, "/v1/budgets", "usage")
    assert (status, said["object"]) == (200, "list")
    told = [(b["name"], b["for"], b["period"], b["stops"], b["amount"], b["spent"]) for b in said["data"]]
    assert told == [
        ("Summer", "workspace", "total", False, "0.50", "0.03"),
        ("", "member", "week", True, "0.30", "0.03"),
        ("", "key", "day", True, "0.20", "0.03"),
    ]
    assert [b["resets_at"] is None for b in said["data"]] == [True, False, False]
    assert said["data"][1]["member"] == owner.email
    assert ask(stranger.personal_workspace, "/v1/budgets", "usage")[1]["data"] == []
    assert ask(funded, "/v1/budgets", "inference")[0] == 403


def test_what_a_key_has_left_is_what_the_tightest_cap_leaves_it(funded: Workspace, owner: User) -> None:
    key, secret = issue(funded, "spends", owner)
    budgets.make(funded, Wish("month", "0.40", True, ()))
    budgets.make(funded, Wish("month", "0.30", True, (), member_id=owner.pk))

    def left() -> str:
        answer = Client().get("/v1/key", headers={"authorization": f"Bearer {secret}"})
        return str(answer.json()["left"]["cost"])

    assert left() == "0.30"
    spend(funded, 8 * CENT, 5 * CENT, key.pk)
    assert left() == "0.25"
    held = holds.hold(funded.pk, "", 20 * CENT)
    holds.release(held)
    spend(funded, 20 * CENT, 20 * CENT)
    tending.close_leases()
    assert left() == "0.15"

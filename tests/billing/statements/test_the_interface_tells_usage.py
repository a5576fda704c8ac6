"""/v1/usage, /v1/credits and /v1/generations: what programs are told of usage and money."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.gate import holds
from billing.ledger import postings
from billing.metering.models import UsageEvent
from billing.money import NANOS
from billing.prices.publishing import publish
from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.models import User, Workspace
from portal.kit import ids


class Reader:
    """A program with a key."""

    def __init__(self, workspace: Workspace, *scopes: str) -> None:
        self.key, self.secret = issue(workspace, "reads", limits=Limits(scopes=list(scopes or ("usage",))))

    def __call__(self, path: str) -> tuple[int, Any]:
        answer = Client().get(path, headers={"authorization": f"Bearer {self.secret}"})
        return answer.status_code, answer.json()

    def lines(self, path: str) -> list[Any]:
        answer = Client().get(path, headers={"authorization": f"Bearer {self.secret}"})
        assert answer.streaming
        return [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]  # type: ignore[arg-type]


def used(workspace: Workspace, **fields: Any) -> UsageEvent:
    event = {
        "id": ids.make("use"), "request_id": ids.make("req"), "workspace_id": workspace.pk, "model": "a/b",
        "version_id": "ver_1", "protocol": "openai", "units": {"request": 1}, "price_id": "p", "cost_nanos": 1_500,
        "lease_id": "lease_x", "funding": "promo", "latency_ms": 7, "recorded_at": timezone.now(),
    }  # fmt: skip
    return UsageEvent.objects.create(**{**event, **fields})


def test_credits_say_what_came_in_what_is_left_and_what_is_lent(funded: Workspace) -> None:
    until = timezone.now() + timedelta(days=30)
    postings.top_up(funded.pk, 3 * NANOS, "topup:1", "by card", until)
    postings.grant_promo(funded.pk, NANOS, "grant:old", "over", timezone.now() - timedelta(seconds=1))
    hold = holds.hold(funded.pk, "", 20_000_000)
    status, said = Reader(funded)("/v1/credits")
    assert status == 200
    assert (said["total"], said["remaining"], said["owed"]) == ("5.00", "4.00", "0.00")
    assert Decimal(said["held"]) >= Decimal("0.02")
    assert [(lot["kind"], lot["amount"], lot["left"], lot["memo"]) for lot in said["lots"]] == [
        ("credit", "3.00", "3.00", "by card"),
        ("promo", "1.00", "1.00", "Trial credit for a new workspace"),
    ]
    assert said["lots"][0]["expires_at"] == until.isoformat()
    assert said["lots"][1]["expires_at"] is None
    holds.release(hold)


def test_a_key_that_may_not_see_credit_is_refused_and_not_told_zeros(funded: Workspace) -> None:
    for path in ("/v1/credits", "/v1/usage", "/v1/generations/use_x"):
        status, said = Reader(funded, "inference")(path)
        assert (status, said["error"]["code"]) == (403, "scope_missing")
        assert "0.00" not in json.dumps(said)


def test_a_new_workspace_that_asks_first_has_its_trial(workspace: Workspace) -> None:
    assert Reader(workspace)("/v1/credits")[1]["remaining"] == "1.00"


@pytest.mark.parametrize("by", ["id", "request_id", "operation_id"])
def test_a_generation_is_found_by_each_of_its_ids(funded: Workspace, by: str) -> None:
    price = publish("product", {"request": 1_500_000_000})
    used(funded)
    event = used(
        funded,
        price_id=price.pk,
        operation_id="pred_1",
        units={"request": 1, "input_token": 9},
        factor_bp=5_000,
        first_ms=3,
    )
    reader = Reader(funded)
    status, said = reader(f"/v1/generations/{getattr(event, by)}")
    assert status == 200
    assert (said["usage_event"], said["cost"], said["cost_nanos"]) == (event.id, "0.0000015", 1_500)
    assert (said["units"], said["factor_bp"], said["latency_ms"]) == ({"request": 1, "input_token": 9}, 5_000, 7)
    assert said["price"] == {"id": price.pk, "product": "product", "version": 1, "rates": {"request": 1_500_000_000}}
    assert (said["model"], said["version"], said["protocol"], said["status"]) == ("a/b", "ver_1", "openai", "succeeded")


def test_a_generation_says_what_it_took_of_which_credit(funded: Workspace, owner: User) -> None:
    event = used(funded, cost_nanos=50_000_000, rest_nanos=20_000_000, funding="promo")
    said = Reader(funded)(f"/v1/generations/{event.id}")[1]
    assert (said["paid_from"], said["paid"]) == ("promo", {"promo": "0.03", "credit": "0.02"})
    free = used(funded, cost_nanos=0, funding="")
    assert Reader(funded)(f"/v1/generations/{free.id}")[1]["paid"] == {}
    browser = Client()
    browser.force_login(owner)
    page = browser.get(f"/billing/requests/{event.id}").content.decode()
    assert "promotional credit $0.03" in page
    assert "credit $0.02" in page


def test_attempts_at_one_operation_are_one_generation_and_its_cost_is_the_one_that_was_billed(
    funded: Workspace,
) -> None:
    used(funded, operation_id="pred_2", cost_nanos=0, status="failed")
    billed = used(funded, operation_id="pred_2")
    used(funded, operation_id="pred_2", cost_nanos=0, status="replayed")
    said = Reader(funded)("/v1/generations/pred_2")[1]
    assert (said["usage_event"], said["attempts"]) == (billed.id, 3)


def test_another_workspaces_requests_do_not_exist(funded: Workspace, stranger: User) -> None:
    event = used(funded, operation_id="pred_3")
    theirs = Reader(stranger.personal_workspace)
    for some_id in (
        event.id,
        event.request_id,
        event.operation_id,
        "req_zzz",
        "use_",
        "req_" + "z" * 26,
        "x" * 300,
    ):
        status, said = theirs(f"/v1/generations/{some_id}")
        assert (status, said["error"]["code"]) == (404, "generation_not_found")
    assert theirs("/v1/usage")[1]["data"] == []


def test_usage_of_a_time_of_a_key_and_in_sums(funded: Workspace) -> None:
    reader, now = Reader(funded), timezone.now()
    old = used(funded, recorded_at=now - timedelta(hours=30), model="a/old")
    mine = used(funded, key_id=reader.key.pk, funding="receivable")
    used(funded, model="a/c", cost_nanos=0, status="failed")
    since = (now - timedelta(hours=40)).isoformat()
    cut = (now - timedelta(hours=20)).isoformat()
    said = reader(f"/v1/usage?until={cut}")[1]
    assert ([e["id"] for e in said["data"]], said["total_nanos"]) == ([old.id], 1_500)
    assert [e["id"] for e in reader(f"/v1/usage?key={reader.key.pk}")[1]["data"]] == [mine.id]
    by_model = reader(f"/v1/usage?since={since}&group_by=model")[1]
    assert [
        (s["model"], s["requests"], s["failed"], s["cost_nanos"], s["metered_nanos"]) for s in by_model["data"]
    ] == [
        ("a/b", 1, 0, 1_500, 1_500),
        ("a/old", 1, 0, 1_500, 0),
        ("a/c", 1, 1, 0, 0),
    ]
    assert (by_model["total_cost"], by_model["data"][0]["units"]) == ("0.000003", {"request": 1})
    by_day = reader(f"/v1/usage?since={since}&group_by=day")[1]["data"]
    assert sum(s["requests"] for s in by_day) == 3
    assert {s["day"] for s in by_day} == {old.recorded_at.date().isoformat(), now.date().isoformat()}
    by_key = reader(f"/v1/usage?since={since}&group_by=key")[1]["data"]
    assert {(s["key"], s["requests"]) for s in by_key} == {(None, 2), (reader.key.pk, 1)}


def test_all_events_come_as_lines(funded: Workspace) -> None:
    UsageEvent.objects.bulk_create(
        UsageEvent(
            id=ids.make("use"), request_id="req_x", workspace_id=funded.pk, model="a/b", version_id="v", protocol="openai",
            units={}, price_id="p", cost_nanos=1, latency_ms=1, recorded_at=timezone.now() - timedelta(seconds=at),
        )
        for at in range(2_345)
    )  # fmt: skip
    lines = Reader(funded).lines("/v1/usage?format=jsonl")
    assert len({line["id"] for line in lines}) == len(lines) == 2_345
    assert [line["created_at"] for line in lines] == sorted((line["created_at"] for line in lines), reverse=True)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("until=tomorrow", "until"),
        ("since=0001-01-01T00:00:00Z", "since"),
        ("group_by=colour", "group_by"),
        ("group_by=member", "group_by"),
        ("group_by=day&key=x", "key"),
        ("group_by=day&format=jsonl", "format"),
        ("format=csv", "format"),
        ("format=jsonl&cursor=x", "cursor"),
        ("limit=0", "limit"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(funded: Workspace, query: str, param: str) -> None:
    status, said = Reader(funded)(f"/v1/usage?{query}")
    assert (status, said["error"]["param"]) == (422, param)

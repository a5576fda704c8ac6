"""Whatever is written into an address or a form about money: an answer below 500, and the book unchanged."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from billing.ledger.models import Entry
from billing.plans.seeds import seed_plans
from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in
from tests.house.test_every_route_has_a_row import charged

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "x" * 5_000
NUMBERS = ("-1", "0", "1e309", "NaN", "9" * 30, "9" * 4_999, "1.5", "²", "٣", "0x10", " ", "1_000")
TIMES = (
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "9999-12-31", "0000-00-00", "2026-02-30",
    "2026-01-01T00:00:00", "tomorrow", "1e9", LONG,
)  # fmt: skip
CURSORS = (
    "~", "~use_", "x~use_x", "2026-01-01T00:00:00~use_x", "9999-12-31T23:59:59.999999+00:00~use_x",
    "0001-01-01T00:00:00+23:59~use_x", "2026-01-01T00:00:00+00:00~use_" + LONG, "2026-01-01T00:00:00+00:00~pred_x", LONG,
)  # fmt: skip
TEXTS = (
    "\ud800".encode("utf-8", "surrogatepass"),
    b"\xff\xfe",
    LONG,
    "'; DROP TABLE x; --",
    "%",
    "\u202e\u0000",
    "../../etc",
    "[]",
)
ASKED: dict[str, dict[str, tuple[Any, ...]]] = {
    "/v1/usage": {
        "since": TIMES, "until": TIMES, "limit": NUMBERS, "cursor": CURSORS, "model": TEXTS, "key": TEXTS,
        "group_by": TEXTS, "format": TEXTS,
    },
    "/v1/usage?format=jsonl": {"cursor": CURSORS, "since": TIMES},
    "/v1/usage?group_by=day": {"since": TIMES, "until": TIMES},
    "/v1/usage/receipt": {"from": TIMES, "to": TIMES},
    "/v1/earnings": {"from": TIMES, "to": TIMES, "group_by": TEXTS},
    "/v1/credits": {"x": TEXTS},
    "/v1/budgets": {"x": TEXTS},
    "/usage": {"model": TEXTS, "key": TEXTS, "cursor": CURSORS},
    "/usage/latest": {"model": TEXTS, "cursor": CURSORS},
    "/billing": {"paid": TEXTS},
    "/billing/statement": {"from": TIMES, "to": TIMES, "by": TEXTS},
    "/billing/statement.csv": {"from": TIMES, "to": TIMES, "by": TEXTS},
    "/billing/statement.xlsx": {"from": TIMES, "to": TIMES},
    "/billing/statement/receipt": {"from": TIMES, "to": TIMES},
    "/billing/hours/2026010112": {"cursor": CURSORS},
    "/billing/compare": {"model": TEXTS},
    "/publisher": {"from": TIMES, "to": TIMES},
    "/publisher/earnings.csv": {"from": TIMES, "to": TIMES},
}  # fmt: skip
NAMED = (
    "/v1/generations/", "/billing/invoices/", "/billing/requests/", "/billing/hours/", "/billing/budgets/",
    "/billing/invoices/in_1/reports/", "/publisher/payouts/",
)  # fmt: skip
IDS = (
    "9" * 10, "9" * 30, "9" * 4_999, "-1", LONG, "use_" + "z" * 26, "req_" + "7" + "z" * 25, "pred_" + "0" * 26,
    "batch_" + "0" * 26 + ":9", "9999123123", "0000000000", "2026023025", "%ED%A0%80", "%FF",
)  # fmt: skip
FORMS: dict[str, dict[str, tuple[Any, ...]]] = {
    "/billing/budgets": {"name": TEXTS, "whom": TEXTS, "period": TEXTS, "amount": NUMBERS, "thresholds": NUMBERS},
    "/billing/credits/top-up": {"amount": NUMBERS, "once": TEXTS},
    "/billing/credits/recharge": {"below": NUMBERS, "amount": NUMBERS, "month": NUMBERS, "act": TEXTS},
    "/billing/credits/redeem": {"code": TEXTS},
    "/billing/plan/change": {"plan": TEXTS},
    "/billing/plan/end": {"when": TEXTS},
    "/billing/subscribe": {"plan": TEXTS, "once": TEXTS},
    "/publisher/onboarding": {"country": TEXTS},
    "/publisher/payouts/schedule": {"schedule": TEXTS, "minimum": NUMBERS},
}
USUAL = {
    "name": "n", "whom": "workspace", "period": "day", "amount": "NaN", "stops": "no", "thresholds": "80", "below": "5",
    "month": "100", "schedule": "weekly", "minimum": "-1",
}  # fmt: skip


@pytest.fixture
def somebody(funded: Workspace, owner: User) -> tuple[Client, dict[str, str]]:
    """A person, and a key's header."""
    seed_plans()
    charged(funded)
    secret = issue(funded, "reads", limits=Limits(scopes=["usage"]))[1]
    return signed_in(owner), {"authorization": f"Bearer {secret}"}


def read(answer: Any) -> int:
    """The status, when all of the answer was read."""
    if answer.streaming:
        b"".join(answer.streaming_content)
    status: int = answer.status_code
    return status


def test_nonsense_in_an_address_is_refused(somebody: tuple[Client, dict[str, str]]) -> None:
    client, key = somebody
    wrong = []
    for path, params in ASKED.items():
        for name, values in params.items():
            for value in values:
                address = f"{path}{'&' if '?' in path else '?'}{urlencode({name: value})}"
                status = read(client.get(address, headers=key))
                if status not in (200, 302, 400, 404, 422):
                    wrong.append(f"{status} {address[:100]}")
    assert not wrong


def test_nonsense_as_a_name_is_not_found(somebody: tuple[Client, dict[str, str]]) -> None:
    client, key = somebody
    wrong = []
    for path in NAMED:
        for name in IDS:
            status = read(client.get(f"{path}{name}", headers=key))
            if status not in (200, 400, 404):  # 200: an hour, or the report of the number 0000000000
                wrong.append(f"{status} {path}{name[:60]}")
    assert not wrong


def test_nonsense_in_a_form_is_refused_and_moves_no_money(somebody: tuple[Client, dict[str, str]]) -> None:
    client, _ = somebody
    before = list(Entry.objects.order_by("pk").values())
    wrong = []
    for path, fields in FORMS.items():
        for name, values in fields.items():
            for value in values:
                status = read(client.post(path, {**USUAL, name: value}))
                if status not in (200, 302, 400, 404, 422, 429):
                    wrong.append(f"{status} {path} {name}={str(value)[:60]}")
    assert not wrong
    assert list(Entry.objects.order_by("pk").values()) == before

"""/keys: a name makes a key; more settings limit it; a key's own page changes, rotates and ends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.gate import caps, standing
from billing.gate.models import Budget, Lease, Period
from portal.accounts.keys.issuing import Limits, issue, rotate
from portal.accounts.keys.lookup import _recent, caller_of
from portal.accounts.keys.models import KeyKind
from portal.accounts.models import Key, User, Workspace
from portal.pages import key_limits
from tests.fixtures.people import signed_in

FULL = {
    "name": "shop",
    "kind": "test",
    "scopes": ["inference"],
    "models": "mercato/digits, olga/*\nmercato/prose",
    "networks": "192.0.2.7/24 2001:db8::/32",
    "expires": "2099-01-31",
    "rpm": "30",
    "tpm": "5000",
    "concurrency": "4",
    "cap_day": "0.50",
    "cap_week": "2",
    "cap_month": "",
    "cap_total": "10.000000001",
}


@pytest.fixture
def browser(owner: User) -> Client:
    return signed_in(owner)


def test_a_name_is_all_that_a_new_key_needs(browser: Client, workspace: Workspace) -> None:
    answer = browser.post("/keys", {"name": "laptop"})
    key = Key.objects.get(workspace=workspace)
    assert (key.name, key.kind, key.rpm, key.tpm) == ("laptop", KeyKind.LIVE, 600, 0)
    assert key.scopes == ["inference", "usage"]
    assert answer.context["secret"] in answer.content.decode()


def test_a_key_has_every_limit_that_was_chosen(browser: Client, workspace: Workspace) -> None:
    secret = browser.post("/keys", FULL).context["secret"]
    key = Key.objects.get(workspace=workspace)
    assert secret.startswith("mk_test_")
    assert key.created_by == workspace.personal_of
    assert (key.rpm, key.tpm, key.concurrency) == (30, 5000, 4)
    assert key.expires_at == datetime(2099, 2, 1, tzinfo=UTC)  # until the day ends
    caller = caller_of(secret)
    assert caller is not None
    assert caller.test
    assert caller.scopes == {"inference"}
    assert caller.models == ("mercato/digits", "olga/*", "mercato/prose")
    assert caller.networks == ("192.0.2.0/24", "2001:db8::/32")
    limits = dict(Budget.objects.filter(key=key).values_list("period", "limit_nanos"))
    assert limits == {"day": 500_000_000, "week": 2_000_000_000, "total": 10_000_000_001}
    listed = browser.get("/keys").content.decode()
    for word in ("30 requests a minute", "5,000 tokens a minute", "4 at once", "3 models", "$0.00 of $0.50 a day"):
        assert word in listed


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", " "), ("name", "x" * 81), ("scopes", []), ("models", "digits"), ("models", "mercato/"),
        ("networks", "here"), ("expires", "2001-01-01"), ("expires", "soon"), ("rpm", "-1"), ("tpm", "many"),
        ("concurrency", "99999999999"), ("cap_day", "a lot"), ("cap_total", "-1"), ("cap_week", "0.0000000001"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_made(
    browser: Client, workspace: Workspace, field: str, wrong: Any
) -> None:
    answer = browser.post("/keys", {**FULL, field: wrong})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert f'id="id_{field}_error"' in page
    assert f"id_{field}_error" in page.split("aria-describedby=", 1)[1]
    assert "olga/*" in page or field == "models"  # what was written is still there
    assert ('<details class="more" open>' in page) == (field != "name")
    assert not Key.objects.filter(workspace=workspace).exists()
    assert not Budget.objects.exists()


def test_all_that_is_wrong_is_said_at_once(browser: Client) -> None:
    answer = browser.post("/keys", {**FULL, "models": "x", "networks": "y", "rpm": "z", "cap_day": "q"})
    assert set(answer.context["form"].errors) == {"models", "networks", "rpm", "cap_day"}


def test_a_key_is_changed_on_its_page(browser: Client, workspace: Workspace) -> None:
    key, secret = issue(workspace, "laptop")
    caps.set_cap(key, 10**9, Period.DAY)
    answer = browser.post(f"/keys/{key.pk}", {**FULL, "cap_day": "", "expires": ""})
    assert (answer.status_code, answer["Location"]) == (302, f"/keys/{key.pk}")
    key.refresh_from_db()
    assert (key.name, key.kind, key.rpm, key.expires_at) == ("shop", KeyKind.LIVE, 30, None)
    assert sorted(Budget.objects.filter(key=key).values_list("period", flat=True)) == ["total", "week"]
    _recent.forget()
    assert caller_of(secret) is not None


def test_a_form_that_is_sent_back_as_it_was_changes_nothing(browser: Client, workspace: Workspace) -> None:
    key, _ = issue(workspace, "laptop")
    Key.objects.filter(pk=key.pk).update(expires_at=datetime(2098, 5, 6, 7, 8, tzinfo=UTC))
    caps.set_cap(key, 1_230_000_000, Period.MONTH)
    before = Key.objects.filter(pk=key.pk).values().get()
    form = browser.get(f"/keys/{key.pk}").context["form"]
    same = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    assert browser.post(f"/keys/{key.pk}", same).status_code == 302
    assert Key.objects.filter(pk=key.pk).values().get() == before
    assert Budget.objects.get(key=key).limit_nanos == 1_230_000_000


def test_a_cap_below_what_was_used_changes_neither_cap_nor_limits(browser: Client, workspace: Workspace) -> None:
    key, _ = issue(workspace, "laptop")
    cap = caps.set_cap(key, 10**9, Period.DAY)
    Budget.objects.filter(pk=cap.pk).update(used_nanos=4 * 10**8)
    answer = browser.post(f"/keys/{key.pk}", {**FULL, "cap_day": "0.3"})
    assert list(answer.context["form"].errors) == ["cap_day"]
    assert answer.context["key"].name == "laptop"
    key.refresh_from_db()
    assert key.name == "laptop"
    assert list(Budget.objects.filter(key=key).values_list("period", "limit_nanos")) == [("day", 10**9)]


def test_a_cap_shows_what_was_spent_in_its_period_and_not_what_is_lent(workspace: Workspace) -> None:
    key, _ = issue(workspace, "laptop")
    cap = caps.set_cap(key, 10**9, Period.DAY)
    now = timezone.now()
    Budget.objects.filter(pk=cap.pk).update(used_nanos=5 * 10**7)
    Lease.objects.create(
        workspace=workspace, key_id=key.pk, process="p", granted_nanos=5 * 10**7, promo_nanos=5 * 10**7,
        opened_at=now, expires_at=now + timedelta(minutes=1),
    )  # fmt: skip
    [stands] = standing.standings([key.pk], now)[key.pk]
    assert (stands.used_nanos, stands.spent_nanos) == (5 * 10**7, 0)
    [tomorrow] = standing.standings([key.pk], now + timedelta(days=1))[key.pk]
    assert (tomorrow.used_nanos, tomorrow.spent_nanos) == (0, 0)


def test_rotating_shows_the_new_secret_once_and_the_old_one_opens_as_long_as_was_chosen(
    browser: Client, workspace: Workspace
) -> None:
    key, old = issue(workspace, "laptop")
    answer = browser.post(f"/keys/{key.pk}/rotate", {"overlap": "3600"})
    new = answer.context["secret"]
    assert answer.content.decode().count(new) == 1
    assert "no-store" in answer["Cache-Control"]
    assert new not in browser.get(f"/keys/{key.pk}").content.decode()
    _recent.forget()
    assert caller_of(new)
    assert caller_of(old)
    newest = browser.post(f"/keys/{key.pk}/rotate", {"overlap": "0"}).context["secret"]
    _recent.forget()
    assert [caller_of(secret) is not None for secret in (old, new, newest)] == [False, False, True]
    for wrong in ("-5", "x", "99999999"):
        assert browser.post(f"/keys/{key.pk}/rotate", {"overlap": wrong}).status_code == 422


def test_a_revoked_key_offers_nothing_to_change(browser: Client, workspace: Workspace) -> None:
    key, _ = issue(workspace, "laptop")
    browser.post(f"/keys/{key.pk}/revoke")
    page = browser.get(f"/keys/{key.pk}").content.decode()
    assert "/rotate" not in page
    assert browser.post(f"/keys/{key.pk}", FULL).status_code == 422
    assert browser.post(f"/keys/{key.pk}/rotate").status_code == 422


def test_viewers_see_and_strangers_do_not(workspace: Workspace, teammate: User, stranger: User) -> None:
    key, _ = issue(workspace, "laptop")
    viewer = signed_in(teammate)
    viewer.post("/settings/workspace", {"workspace": workspace.pk})
    for path in ("/keys", f"/keys/{key.pk}"):
        page = viewer.get(path).content.decode()
        assert "laptop" in page
        assert "id_scopes" not in page
    assert signed_in(stranger).get(f"/keys/{key.pk}").status_code == 404


def test_a_rotation_during_a_change_is_not_undone(workspace: Workspace) -> None:
    stale, old = issue(workspace, "laptop")
    new = rotate(Key.objects.get(pk=stale.pk), timedelta(0))
    key_limits.alter(stale, {"name": "renamed"})
    _recent.forget()
    assert caller_of(old) is None
    assert caller_of(new) is not None


def test_programs_follow_the_same_rule(workspace: Workspace) -> None:
    _, boss = issue(workspace, "boss", limits=Limits(scopes=["keys"]))

    def call(method: str, path: str, body: dict[str, Any]) -> Any:
        return getattr(Client(), method)(path, body, "application/json", headers={"x-api-key": boss})

    made = call("post", "/v1/keys", {"name": "made", "tpm": None, "rpm": None, "caps": {"day": "1"}})
    assert (made.status_code, made.json()["tpm"], made.json()["rpm"]) == (201, 0, 600)
    path = f"/v1/keys/{made.json()['id']}"
    for body, param in (
        ({"name": "no", "caps": {"week": "much"}}, "/caps/week"),
        ({"name": "no", "models": ["x"]}, "/models"),
        ({"name": "no", "expires_at": "2027-02-30T00:00:00Z"}, "/expires_at"),
    ):
        refused = call("patch", path, body)
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, param)
    assert Key.objects.get(pk=made.json()["id"]).name == "made"
    assert call("patch", path, {"name": "yes"}).json()["caps"]["day"] == {"limit": "1.00", "used_or_lent": "0.00"}

"""PostgreSQL keeps no NUL in a text. Whoever sends one is told so: by page, protocol, address, form, file or JSON."""

from __future__ import annotations

import io
from collections import defaultdict
from typing import Any

import pytest
from django.test import Client

from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.keys.scopes import SCOPES
from portal.accounts.models import User, Workspace
from portal.accounts.wire.json import loads
from portal.accounts.wire.text import TextInvalid
from tests.fixtures.people import signed_in
from tests.house.test_every_route_has_a_row import ROWS, charged

# Neither a page nor behind a key: what they are sent is signed, or nothing is read.
OPEN = {"stripe_webhook", "stripe_thin", "healthz", "readyz", "metrics", "api_nowhere", "openapi"}
OPEN |= {"oip_server", "oip_live", "oip_ready"}
PAGES = {name: row[:2] for name, row in ROWS.items() if name not in OPEN and not row[1].startswith(("/v1", "/v2"))}
KEYED = {name: row[:2] for name, row in ROWS.items() if name not in OPEN and row[1].startswith(("/v1", "/v2"))}

ANY: dict[str, int] = defaultdict(lambda: 1)  # whatever a path names


@pytest.fixture
def secret(workspace: Workspace) -> str:
    return issue(workspace, "all", limits=Limits(scopes=list(SCOPES)))[1]


@pytest.fixture
def person(owner: User, workspace: Workspace) -> Client:
    charged(workspace)
    return signed_in(owner)


def with_key(method: str, path: str, secret: str, **given: Any) -> Any:
    return getattr(Client(), method.lower())(path, headers={"authorization": f"Bearer {secret}"}, **given)


def refusal(answer: Any) -> tuple[int, str, str | None]:
    """Status, code and param in whatever shape of error."""
    said = answer.json()
    error = said if isinstance(said["error"], str) else said["error"]
    return answer.status_code, error.get("code", ""), error.get("param")


def test_no_page_takes_one_in_its_address(person: Client) -> None:
    wrong = []
    for name, (method, path) in PAGES.items():
        address = path.format_map(ANY)
        answer = getattr(person, method.lower())(f"{address}{'&' if '?' in address else '?'}q=a%00b")
        if answer.status_code != 400 or b"U+0000" not in answer.content:
            wrong.append(f"{name}: {answer.status_code}")
    assert not wrong


def test_no_form_takes_one(person: Client) -> None:
    wrong = []
    for name, (method, path) in PAGES.items():
        if method == "POST":
            answer = person.post(path.format_map(ANY), {"model": "a\0b"})
            if answer.status_code != 400 or b"U+0000" not in answer.content:
                wrong.append(f"{name}: {answer.status_code}")
    assert not wrong


@pytest.mark.parametrize(
    "path",
    [
        "/billing/requests/use_%00",
        "/billing/invoices/in%001",
        "/models/olga/se%00cret",
        "/keys/%00",
        "/accounts/login/?next=%00",
    ],
)
def test_no_page_is_named_with_one(person: Client, path: str) -> None:
    assert person.get(path).status_code in (400, 404)
    assert person.get(path).status_code == 400 or "%00" in path


def test_the_console_takes_none(owner: User, person: Client) -> None:
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    for address in ("billing/price/?q=%00", "billing/earning/?model__exact=%00", "billing/coupon/%00/change/"):
        assert person.get(f"/admin/{address}").status_code == 400


def test_no_protocol_takes_one_in_its_address(secret: str) -> None:
    wrong = []
    for name, (method, path) in KEYED.items():
        said = refusal(with_key(method, f"{path.format(key='k')}?model=%00", secret))
        if said != (400, "text_invalid", "model"):
            wrong.append(f"{name}: {said}")
    assert not wrong


def test_no_protocol_takes_one_in_a_name(secret: str) -> None:
    for path in (
        "/v1/generations/pred_%00",
        "/v1/models/a/b%00",
        "/v1/files/%00",
        "/v1/batches/a%00",
        "/v2/models/a/%00",
    ):
        assert refusal(with_key("GET", path, secret))[:2] == (400, "text_invalid"), path


BODIES = (
    "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens",
    "/v1/embeddings", "/v1/images/generations", "/v1/models/olga/secret/predictions", "/v2/models/olga/secret/infer",
    "/v1/models/olga/secret:predict", "/v1/quotes", "/v1/keys", "/v1/tokens", "/v1/webhooks", "/v1/batches",
    "/v1/golden_sets",
)  # fmt: skip


@pytest.mark.parametrize("path", BODIES)
def test_no_protocol_takes_one_in_a_body(secret: str, path: str) -> None:
    body = {"model": "olga/secret", "name": [{"a/b": ["fine", "a\0b"]}]}
    answer = with_key("POST", path, secret, data=body, content_type="application/json")
    assert refusal(answer) == (400, "text_invalid", "/name/0/a~1b/1")


def test_no_upload_takes_one(secret: str) -> None:
    file = io.BytesIO(b"{}")
    for fields in ({"purpose": "ba\0tch"}, {"a\0b": "x"}):
        answer = with_key("POST", "/v1/files", secret, data={**fields, "file": file})
        assert refusal(answer)[:2] == (400, "text_invalid")


def test_a_backslash_before_such_letters_is_no_nul() -> None:
    assert loads(rb'{"path": "C:\\u0000", "x": "\\\\u0000"}') == {"path": r"C:\u0000", "x": r"\\u0000"}
    for body, param in ((rb'"\u0000"', ""), (rb'{"\u0000": 1}', "/\\0"), (rb'["\\\u0000"]', "/0")):
        with pytest.raises(TextInvalid) as refused:
            loads(body)
        assert refused.value.param == param

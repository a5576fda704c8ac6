"""Every word of the pages of keys and webhooks is Chinese for those who read Chinese."""

from __future__ import annotations

import re

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from billing.gate import caps
from inference.later import deliveries
from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in

# Words that stay: names of protocols, libraries, units and examples.
STAYS = re.compile(
    r"^(API|UTC|TensorFlow|Webhook|Webhooks|Standard|Python|MB|ms|p50|p95|p99|Mercato|inference|usage|keys|webhook|"
    r"publisher|name|test|prediction|batch|completed|started|olga|example|com|http|https|hook|db8|xx)$"
)


@pytest.fixture
def reader(owner: User, settings: LazySettings) -> Client:
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1"]
    User.objects.filter(pk=owner.pk).update(language="zh-hans")
    return signed_in(owner)


def english(html: str) -> list[str]:
    """The English words that a person would see."""
    main = html.split('<main id="main">', 1)[1].split("</main>")[0]
    main = re.sub(r"<(pre|code|script)\b.*?</\1>", " ", main, flags=re.S)
    seen = re.sub(r"<[^>]+>", " ", main) + " ".join(
        re.findall(r'(?:aria-label|data-label|data-copied|placeholder)="([^"]+)"', main)
    )
    return [
        word
        for word in re.findall(r"[A-Za-z][A-Za-z']+[0-9]*", re.sub(r"\S+@\S+|\S+://\S+", " ", seen))
        if not STAYS.match(word)
    ]


def test_keys(reader: Client, workspace: Workspace) -> None:
    assert english(reader.get("/keys").content.decode()) == []
    limits = Limits(rpm=5, tpm=6, concurrency=7, scopes=["keys"], models=["olga/*"], networks=["192.0.2.0/24"])
    key, _ = issue(workspace, "电脑", limits=limits)
    for period in ("day", "week", "month", "total"):
        caps.set_cap(key, 10**9, period)
    assert english(reader.get("/keys").content.decode()) == []
    assert english(reader.get(f"/keys/{key.pk}").content.decode()) == []
    assert english(reader.post(f"/keys/{key.pk}/rotate", {"overlap": "60"}).content.decode()) == []
    wrong = {
        "name": "", "kind": "live", "models": "x", "networks": "y", "rpm": "z", "cap_day": "q", "expires": "never",
    }  # fmt: skip
    answer = reader.post("/keys", wrong)
    assert set(answer.context["form"].errors) == {"models", "networks", "rpm", "cap_day", "expires"}
    told = [message for messages in answer.context["form"].errors.values() for message in messages]
    assert not [message for message in told if message.isascii()]
    made = reader.post("/keys", {"name": "手机"})
    assert english(made.content.decode().replace("mk_", "")) == []


def test_webhooks(reader: Client, workspace: Workspace) -> None:
    assert english(reader.get("/settings/webhooks").content.decode()) == []
    refused = reader.post("/settings/webhooks", {"url": "http://10.0.0.1/"})
    assert not refused.context["form"].errors["url"][0].isascii()
    page = reader.post("/settings/webhooks", {"url": "http://127.0.0.1:9/hook"})
    assert english(page.content.decode()) == []
    endpoint = page.context["endpoint"]
    deliveries.test(endpoint)
    deliveries.send_due(timezone.now())  # nobody is there
    log = reader.get(f"/settings/webhooks/{endpoint.pk}/deliveries").content.decode()
    assert "等待重试" in log
    assert english(reader.get("/settings").content.decode()) == []

"""/settings/webhooks: an address is added, tested, switched and forgotten, and its log says what was answered."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format
from standardwebhooks import Webhook

from inference.later import deliveries
from inference.later.models import Delivery, Endpoint
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in
from tests.fixtures.working import Receiver


@pytest.fixture
def browser(owner: User, settings: LazySettings) -> Client:
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1"]
    return signed_in(owner)


def add(browser: Client, url: str, **more: Any) -> tuple[str, str]:
    """The new endpoint's page, and its secret."""
    answer = browser.post("/settings/webhooks", {"url": url, **more})
    assert answer.status_code == 200, answer.content
    return f"/settings/webhooks/{answer.context['endpoint'].pk}", answer.context["secret"]


def test_without_webhooks_the_page_teaches(browser: Client) -> None:
    page = browser.get("/settings/webhooks").content.decode()
    assert "No webhooks yet" in page
    assert "from standardwebhooks import Webhook" in page
    assert 'href="/settings/webhooks"' in browser.get("/settings").content.decode()


def test_an_address_is_added_and_its_secret_shown_once(browser: Client, receiver: Receiver) -> None:
    page, secret = add(browser, receiver.url, events=["batch.completed"])
    assert secret.startswith("whsec_")
    for path in (page, "/settings/webhooks"):
        answer = browser.get(path)
        assert receiver.url in answer.content.decode()
        assert secret not in answer.content.decode()
        assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": "http://10.0.0.1/"}, "url"), ({"url": "ftp://127.0.0.1/"}, "url"), ({"url": ""}, "url"),
        ({"url": "https://127.0.0.1/" + "x" * 500}, "url"), ({"url": "http://127.0.0.1/", "events": ["all"]}, "events"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_added(
    browser: Client, given: dict[str, Any], field: str
) -> None:
    answer = browser.post("/settings/webhooks", given)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert not Endpoint.objects.exists()


def test_a_test_is_delivered_signed_and_logged(browser: Client, receiver: Receiver) -> None:
    page, secret = add(browser, receiver.url)
    assert browser.post(f"{page}/test").status_code == 302
    waiting = browser.get(f"{page}/deliveries").content.decode()
    assert "on its way" in waiting
    assert "every 1500ms" in waiting
    deliveries.send_due(timezone.now())
    headers, body = receiver.seen[0]
    assert Webhook(secret).verify(body, headers)["type"] == "webhook.test"
    log = browser.get(f"{page}/deliveries").content.decode()
    assert "delivered" in log
    assert "<strong>204</strong>" in log
    assert "every 1500ms" not in log


def test_a_message_that_was_given_up_is_sent_again_when_asked(browser: Client, receiver: Receiver) -> None:
    page, _ = add(browser, receiver.url)
    receiver.behave[:] = [410]
    browser.post(f"{page}/test")
    deliveries.send_due(timezone.now())
    shown = browser.get(page).content.decode()
    assert "given up" in shown
    assert "<strong>410</strong>" in shown
    assert "Switch on" in shown  # 410 switched it off
    browser.post(f"{page}/switch", {"to": "on"})
    [again] = re.findall(rf'action="({page}/deliveries/[^"]+)"', shown)
    assert browser.post(again).status_code == 302
    deliveries.send_due(timezone.now())
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts) == (204, 2)
    assert [headers["webhook-id"] for headers, _body in receiver.seen] == [delivery.pk] * 2
    assert Endpoint.objects.get().disabled_at is None


def test_the_next_attempt_is_shown(browser: Client, receiver: Receiver) -> None:
    page, _ = add(browser, receiver.url)
    receiver.behave[:] = [500]
    browser.post(f"{page}/test")
    deliveries.send_due(timezone.now())
    delivery = Delivery.objects.get()
    assert delivery.next_at is not None
    log = browser.get(f"{page}/deliveries").content.decode()
    assert "tried again" in log
    assert date_format(delivery.next_at, "SECOND_FORMAT") in log
    Delivery.objects.update(next_at=timezone.now() + timedelta(hours=2))
    assert "every 1500ms" not in browser.get(f"{page}/deliveries").content.decode()


def test_one_that_is_off_is_told_nothing_until_it_is_on_again(
    browser: Client, workspace: Workspace, receiver: Receiver
) -> None:
    page, _ = add(browser, receiver.url)
    browser.post(f"{page}/switch", {"to": "off"})
    deliveries.queue(workspace.pk, "batch.completed", {})
    assert not Delivery.objects.exists()
    browser.post(f"{page}/switch", {"to": "on"})
    deliveries.queue(workspace.pk, "batch.completed", {})
    assert Delivery.objects.count() == 1


def test_events_are_chosen_and_chosen_anew(browser: Client, workspace: Workspace, receiver: Receiver) -> None:
    page, _ = add(browser, receiver.url, events=["batch.completed"])
    deliveries.queue(workspace.pk, "prediction.completed", {})
    assert not Delivery.objects.exists()
    assert browser.post(page, {"events": ["prediction.completed"]}).status_code == 302
    deliveries.queue(workspace.pk, "prediction.completed", {})
    assert Delivery.objects.count() == 1
    assert browser.post(page, {"events": ["nothing"]}).status_code == 422
    browser.post(page, {})
    assert Endpoint.objects.get().events == []


def test_a_rotated_secret_is_shown_once_and_signs_beside_the_one_before(browser: Client, receiver: Receiver) -> None:
    page, old = add(browser, receiver.url)
    new = browser.post(f"{page}/rotate").context["secret"]
    assert new not in browser.get(page).content.decode()
    browser.post(f"{page}/test")
    deliveries.send_due(timezone.now())
    headers, body = receiver.seen[0]
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers)


def test_a_deleted_one_is_gone_with_its_log(browser: Client, receiver: Receiver) -> None:
    page, _ = add(browser, receiver.url)
    browser.post(f"{page}/test")
    assert browser.post(f"{page}/delete")["Location"] == "/settings/webhooks"
    assert browser.get(page).status_code == 404
    assert not Delivery.objects.exists()


def test_the_signing_secret_is_shown_when_asked_and_is_the_interface_s(browser: Client, workspace: Workspace) -> None:
    shown = browser.post("/settings/webhooks/signing-secret").context["signing_secret"]
    assert shown == deliveries.secret_of(deliveries.signer(workspace.pk))
    assert shown not in browser.get("/settings/webhooks").content.decode()
    # It has no address of its own, so it has no page.
    assert browser.get(f"/settings/webhooks/{deliveries.signer(workspace.pk).pk}").status_code == 404


def test_viewers_see_and_strangers_do_not(
    browser: Client, workspace: Workspace, teammate: User, stranger: User, receiver: Receiver
) -> None:
    page, _ = add(browser, receiver.url)
    viewer = signed_in(teammate)
    viewer.post("/settings/workspace", {"workspace": workspace.pk})
    seen = viewer.get(page).content.decode()
    assert receiver.url in seen
    assert f"{page}/rotate" not in seen
    assert signed_in(stranger).get(page).status_code == 404
    assert receiver.url not in signed_in(stranger).get("/settings/webhooks").content.decode()

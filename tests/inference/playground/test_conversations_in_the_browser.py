"""A chat model's page is a conversation: it is kept, streams, and is written with the keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests import chromium
from tests.fixtures.serving import EMAIL, Installation

pytestmark = pytest.mark.slow
ANSWER = "w0 w1 w2 w3 "


@pytest.fixture
def page(installation: Installation) -> Iterator[Page]:
    """The page of a chat model, signed in."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.ensure(), args=chromium.ARGUMENTS)
        made = browser.new_page(base_url=installation.url, viewport={"width": 390, "height": 844}, locale="en-US")
        made.set_default_timeout(30_000)
        made.goto("/accounts/login/?next=/models/bench/m")
        made.get_by_label("Email").fill(EMAIL)
        made.get_by_label("Password").fill("bench-Passw0rd!")
        made.locator("main").get_by_role("button", name="Sign In").click()
        expect(made.get_by_role("button", name="Send")).to_be_visible()
        installation.upstream.seen.clear()
        yield made
        browser.close()


def said(page: Page) -> list[str]:
    """All bubbles, oldest first."""
    return [text.strip() for text in page.locator(".said").all_inner_texts()]


def test_what_was_said_goes_along_until_a_new_conversation(page: Page, installation: Installation) -> None:
    message, cost = page.get_by_label("Message", exact=True), page.locator("[data-meta]")
    message.fill("one")
    message.press("Shift+Enter")
    message.press_sequentially("two")
    assert not installation.upstream.seen, "Shift and Enter only begin a new line"
    message.press("Enter")
    expect(cost).to_contain_text("Cost $")
    assert said(page) == ["one\ntwo", ANSWER.strip()]
    expect(message).to_have_value("")
    page.locator("#try summary", has_text="Settings").click()
    page.get_by_label("System message").fill("be brief")
    page.get_by_label("Temperature").fill("0.5")
    message.fill("three")
    expect(page.locator("#snippet-code-1")).to_contain_text('"content":"three"}],"temperature":0.5}')
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".said")).to_have_count(4)
    expect(page.locator(".said").last).to_have_text(ANSWER)
    sent = installation.upstream.seen[-1]
    assert [(one["role"], one["content"]) for one in sent["messages"]] == [
        ("system", "be brief"), ("user", "one\ntwo"), ("assistant", ANSWER), ("user", "three"),
    ]  # fmt: skip
    assert sent["temperature"] == 0.5
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    page.get_by_role("button", name="New conversation").click()
    assert said(page) == []
    message.fill("four")
    message.press("Enter")
    expect(page.locator(".said").last).to_have_text(ANSWER)
    assert [one["content"] for one in installation.upstream.seen[-1]["messages"]] == ["be brief", "four"]


def test_an_answer_is_stopped_and_what_came_is_kept(page: Page, installation: Installation) -> None:
    installation.upstream.behave = ["long"]
    page.get_by_label("Message", exact=True).fill("go on")
    page.get_by_label("Message", exact=True).press("Enter")
    expect(page.locator(".said.assistant")).to_contain_text("w3")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("[data-meta]")).to_have_text("Stopped")
    assert "w199" not in said(page)[-1]
    page.get_by_label("Message", exact=True).fill("and now?")
    page.get_by_label("Message", exact=True).press("Enter")
    expect(page.locator(".said").last).to_have_text(ANSWER)
    assert installation.upstream.seen[-1]["messages"][1]["content"].startswith("w0 w1 w2 w3")


def test_a_question_without_an_answer_goes_back_to_its_field(page: Page, installation: Installation) -> None:
    installation.upstream.behave = ["400"]
    page.get_by_label("Message", exact=True).fill("hello?")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert said(page) == []
    expect(page.get_by_label("Message", exact=True)).to_have_value("hello?")

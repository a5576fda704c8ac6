"""From an empty folder to a billed prediction and its invoice, in a real browser. Pictures go to var/screenshots/."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests import chromium
from tests.fixtures.product import Product
from tests.house.tree import ROOT

pytestmark = pytest.mark.slow
PICTURES = ROOT / "var" / "screenshots"
EMAIL, PASSWORD = "ada@example.com", "a-long-Passw0rd"
TRAINED_S = 240


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium.ensure(), args=chromium.ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def context(browser: Browser, product: Product) -> Iterator[BrowserContext]:
    made = browser.new_context(base_url=product.url, viewport={"width": 1280, "height": 860}, locale="en-US")
    made.grant_permissions(["clipboard-read", "clipboard-write"], origin=product.url)
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which nothing goes wrong unseen: no script error, nothing refused by the security policy."""
    made = context.new_page()
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(f"{made.url}: {error}"))
    made.on("console", lambda m: wrong.append(f"{made.url}: {m.text}") if "Content Security Policy" in m.text else None)
    yield made
    assert not wrong


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    # To hide the caret, Playwright would leave empty style attributes, which htmx then copies against our policy.
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True, caret="initial")


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.locator("main").get_by_role("button", name="Sign In").click()
    page.wait_for_url(lambda url: "login" not in url)


def test_a_newcomer_signs_up_tries_calls_subscribes_and_the_operator_sees_it(page: Page, product: Product) -> None:
    # The portal answers before any model is trained, and they go live one by one.
    page.goto("/")
    picture(page, "01-home")
    page.goto("/models/mercato/digits")
    expect(page.get_by_text(re.compile("Being trained|Waiting to be trained|Live|Try it")).first).to_be_visible()
    expect(page.locator("#state")).to_contain_text("loss", timeout=TRAINED_S * 1000)
    picture(page, "02-training")

    # Sign up and confirm.
    page.goto("/accounts/signup/")
    picture(page, "03-sign-up")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign Up").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    picture(page, "04-check-your-mail")
    page.get_by_role("link", name="Open the mailbox").click()
    picture(page, "05-mailbox")
    page.locator("article").first.get_by_role("link").first.click()
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(lambda url: "confirm" not in url)
    if "login" in page.url:
        sign_in(page, EMAIL, PASSWORD)

    # Browse, search, filter.
    page.goto("/models")
    for title in ("Handwritten digits", "Breast-cancer screening demo", "Prose by letters"):
        card = page.locator("article", has_text=title)
        expect(card.locator(".state.live")).to_be_visible(timeout=TRAINED_S * 1000)
    picture(page, "06-models")
    page.get_by_placeholder("Search").press_sequentially("screening")
    expect(page.locator("article")).to_have_count(1)
    page.goto("/models?task=image-classification")
    expect(page.locator("article")).to_have_count(1)
    page.goto("/models?q=zxqvkj")
    expect(page.get_by_role("heading", name="No model fits")).to_be_visible()

    # Draw a seven.
    page.goto("/models/mercato/digits")
    box = page.locator("#try canvas").bounding_box()
    assert box
    page.wait_for_timeout(500)
    page.mouse.move(box["x"] + 70, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 210, box["y"] + 60, steps=8)
    page.mouse.move(box["x"] + 130, box["y"] + 230, steps=8)
    page.mouse.up()
    expect(page.locator(".bars li").first).to_contain_text("7", timeout=30_000)
    expect(page.locator("[data-meta]")).to_contain_text("Cost $0.0002")
    picture(page, "07-draw-a-digit")

    # Fill in a form; have text written letter by letter.
    page.goto("/models/mercato/diagnosis")
    page.get_by_label("Fill in an example").select_option("0")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".bars li").first).to_contain_text("%")
    picture(page, "08-form")
    page.goto("/models/mercato/prose")
    page.get_by_label("Prompt").fill("The function ")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("[data-meta]")).to_contain_text("Cost $")
    assert len(page.locator(".written").inner_text()) > 100
    picture(page, "09-text")

    # A key, shown once, and the snippet beside it works when pasted into a shell.
    page.goto("/usage")
    page.goto("/keys")
    picture(page, "10-keys-empty")
    page.get_by_label("Name of a new key").fill("my laptop")
    page.get_by_role("button", name="Create key").click()
    secret = page.locator("#secret").inner_text()
    assert secret.startswith("mk_")
    picture(page, "11-new-key")
    page.get_by_role("tab", name="curl").click()
    snippet = page.locator("#snippet-code-1").inner_text()
    answered = time.monotonic()
    shell = subprocess.run(["bash", "-c", snippet + " -s"], capture_output=True, text=True, timeout=30)
    prediction = json.loads(shell.stdout)
    assert prediction["status"] == "succeeded", shell.stdout
    python = page.locator("#snippet-code-2").text_content() or ""
    assert '"status": "succeeded"' in _python(python) or "'status': 'succeeded'" in _python(python)
    client = openai.OpenAI(base_url=f"{product.url}/v1", api_key=secret)
    messages: list[Any] = [{"role": "user", "content": "The function "}]
    stream = client.chat.completions.create(model="mercato/prose", messages=messages, max_tokens=40, stream=True)
    assert len("".join(chunk.choices[0].delta.content or "" for chunk in stream)) == 40
    page.goto("/keys")
    assert secret not in page.content()
    assert secret.encode() not in b"".join(p.read_bytes() for p in product.data_dir.glob("mercato.sqlite3*"))

    # The call is on the usage page within two seconds, with its cost.
    answered = time.monotonic()
    status, again, _ = product.call(
        "/v1/models/mercato/diagnosis/predictions", {"input": {"features": {"mean radius": 14.0}}}, secret
    )
    assert status == 200
    page.goto("/usage")
    row = page.locator(f"#{again['usage']['event']}")
    expect(row).to_contain_text("$0.0001", timeout=2000)
    assert time.monotonic() - answered < 2
    picture(page, "12-usage")
    status, listed, _ = product.call("/v1/usage?limit=1", key=secret)
    assert listed["data"][0]["id"] == again["usage"]["event"]

    # Subscribe at the hosted checkout; the signed webhook makes the plan active.
    page.goto("/billing")
    picture(page, "13-billing-free")
    page.get_by_role("button", name="Subscribe to Pay as you go").click()
    page.wait_for_url(re.compile("/c/pay/"))
    picture(page, "14-checkout")
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url(re.compile("/billing"))
    expect(page.get_by_text("your plan")).to_be_visible(timeout=15_000)

    # Spend the trial credit, so that usage is metered; it reaches Stripe's meter, and the invoice equals the statement.
    rows = [{"mean radius": 14.0}] * 1000
    for _ in range(14):
        status, answer, _ = product.call("/v1/models/mercato/diagnosis/predictions", {"input": {"rows": rows}}, secret)
        assert status == 200, answer
    agreed = page.get_by_text("Both agree to the cent.")
    end = time.monotonic() + 90
    while time.monotonic() < end:
        page.goto("/billing")
        expect(page.locator("#preview-total")).to_be_visible()
        if agreed.is_visible() and page.locator("#statement-total").inner_text() != "$0.00":
            break
        time.sleep(2)
    expect(agreed).to_be_visible()
    assert page.locator("#statement-total").inner_text() == page.locator("#preview-total").inner_text() != "$0.00"
    picture(page, "15-billing")
    page.set_viewport_size({"width": 375, "height": 800})
    for path, name in (
        ("/", "home"),
        ("/models/mercato/digits", "model"),
        ("/usage", "usage"),
        ("/billing", "billing"),
    ):
        page.goto(path)
        picture(page, f"16-phone-{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, f"{path} is wider than a phone"
    page.set_viewport_size({"width": 1280, "height": 860})
    page.emulate_media(color_scheme="dark")
    page.goto("/models/mercato/digits")
    picture(page, "17-dark-model")
    page.goto("/usage")
    picture(page, "18-dark-usage")
    page.emulate_media(color_scheme="light")
    for path, name in (("/docs", "docs"), ("/status", "status"), ("/settings", "settings")):
        page.goto(path)
        picture(page, f"19-{name}")
    with page.expect_navigation():
        page.locator("footer select").select_option("zh-hans")
    page.goto("/models")
    expect(page.get_by_role("heading", name="模型", exact=True)).to_be_visible()
    picture(page, "20-chinese")
    audit = json.loads(product.manage("audit_ledger"))
    assert audit["differences"] == 0


def test_the_operator_sees_people_models_usage_and_revenue(page: Page, product: Product) -> None:
    operator = json.loads((Path(product.data_dir) / "demo-accounts.json").read_text())["operator"]
    sign_in(page, operator["email"], operator["password"])
    page.goto("/admin/")
    expect(page.get_by_text("Usage by day, 30 days")).to_be_visible()
    picture(page, "21-console")
    for path, name, shows in (
        ("/admin/accounts/user/", "people", operator["email"]),
        ("/admin/accounts/workspace/", "workspaces", "mercato"),
        ("/admin/marketplace/model/", "models", "mercato/digits"),
        ("/admin/accounts/key/", "keys", "API key"),
        ("/admin/billing/usageevent/", "usage", "usage event"),
        ("/admin/billing/account/", "accounts", "revenue"),
    ):
        page.goto(path)
        expect(page.locator("body")).to_contain_text(shows)
        picture(page, f"22-console-{name}")


def test_ctrl_c_stops_everything_and_the_next_start_is_quick_and_has_lost_nothing(product: Product) -> None:
    before = json.loads(product.manage("audit_ledger"))
    assert product.stop() == 0
    assert product.start() < 10
    status, answer, _ = product.call("/v1/models")
    assert status == 401
    assert answer["error"]["code"] == "invalid_api_key"
    after = json.loads(product.manage("audit_ledger"))
    assert after["differences"] == before["differences"] == 0


def _python(code: str) -> str:
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr

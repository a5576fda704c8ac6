"""Credit and plans in a real browser: web, jobs and the stand-in for Stripe as processes, webhooks over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import chromium
from tests.fixtures.servers import free_port
from tests.house.tree import ROOT
from tests.journeys.test_a_newcomer import picture, sign_in

pytestmark = pytest.mark.slow
EMAIL, PASSWORD = "ada@example.com", "a-long-Passw0rd"
COUPON = (
    "from billing.plans.seeds import seed_plans; from billing.credit.models import Coupon; seed_plans();"
    "Coupon.objects.create(code='FAIR-2026', amount_nanos=5 * 10**9, note='fair')"
)
DAY = datetime.now(UTC).date() - timedelta(days=3)
USED = (
    "from billing.metering import rollups; from billing.metering.models import UsageEvent; from datetime import datetime;"
    "from portal.accounts.models import Workspace;"
    "UsageEvent.objects.create(id='use_1', request_id='req_1', workspace_id=Workspace.objects.get(slug='ada').pk,"
    " model='a/b', version_id='v', protocol='openai', units={'request': 1}, price_id='p', cost_nanos=25 * 10**7,"
    f" lease_id='l', funding='credit', latency_ms=1, recorded_at=datetime.fromisoformat('{DAY}T12:00:00+00:00'));"
    "rollups.rebuild()"
)


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[str]:
    """Mercato without models: what is bought here is credit."""
    port, sandbox_port = free_port(), free_port()
    env = {
        **os.environ, "MERCATO_DATA_DIR": str(tmp_path / "data"), "PORT": str(port), "SANDBOX_PORT": str(sandbox_port)
    }  # fmt: skip
    manage = [sys.executable, "manage.py"]
    for command in (
        ["migrate", "-v0"],
        ["shell", "-v0", "-c", COUPON],
        ["create_account", EMAIL, "--password", PASSWORD],
        ["shell", "-v0", "-c", USED],
    ):
        subprocess.run([*manage, *command], cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    parts = [
        [*manage, "serve", "--port", str(port)],
        [sys.executable, "-m", "celery", "-q", "-A", "portal.celery", "worker", "--beat", "--pool", "threads",
         "--concurrency", "2", "--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"],
        [sys.executable, "-m", "billing.sandbox", "--port", str(sandbox_port), "--data", str(tmp_path / "data"),
         "--webhook-url", f"{url}/stripe/webhook"],
    ]  # fmt: skip
    log = (tmp_path / "log").open("wb")
    running = [subprocess.Popen(part, cwd=ROOT, env=env, stdout=log, stderr=log) for part in parts]
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=2).close()
            break
        except OSError:
            assert time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.2)
    yield f"http://localhost:{port}"
    for process in running:
        process.send_signal(signal.SIGTERM)
    for process in running:
        process.wait(20)
    log.close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium.ensure(), args=chromium.ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, portal: str) -> Iterator[Page]:
    """A page on which nothing goes wrong unseen."""
    made = browser.new_context(base_url=portal, viewport={"width": 1280, "height": 860}, locale="en-US").new_page()
    made.set_default_timeout(20_000)
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(f"{made.url}: {error}"))
    made.on("console", lambda m: wrong.append(f"{made.url}: {m.text}") if "Content Security Policy" in m.text else None)
    yield made
    assert not wrong


def test_credit_is_bought_a_code_redeemed_and_a_plan_chosen_changed_and_ended(page: Page) -> None:
    sign_in(page, EMAIL, PASSWORD)
    page.goto("/billing/credits")
    expect(page.locator("#spendable")).to_have_text("$1.00")
    expect(page.get_by_text("365 days")).to_be_visible()
    page.get_by_label("Amount in dollars").fill("2.50")
    page.get_by_role("button", name="Pay with Stripe").click()
    expect(page.locator("#amount-error")).to_contain_text("$5.00")
    picture(page, "40-too-little-credit")
    page.get_by_label("Amount in dollars").fill("25")
    page.get_by_role("button", name="Pay with Stripe").click()
    page.wait_for_url(re.compile("/c/pay/"))
    picture(page, "41-checkout-of-credit")
    page.locator("form button").first.click()
    page.wait_for_url(re.compile("/billing/credits"))
    balance(page, "$26.00")

    page.get_by_label("Code").fill("fair-2026")
    page.get_by_role("button", name="Redeem").click()
    expect(page.get_by_text("$5.00 was added")).to_be_visible()
    page.get_by_label("buy, in dollars").fill("20")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("bought this month")).to_be_visible()
    picture(page, "42-credit")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    picture(page, "43-credit-phone-dark")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than a phone"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 860})

    page.goto("/billing/plan")
    picture(page, "44-plans")
    page.get_by_role("button", name="Subscribe to Pay as you go").click()
    page.wait_for_url(re.compile("/c/pay/"))
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url(re.compile("/billing"))
    change = page.get_by_role("button", name="Change to Pro")
    expect(change).to_be_visible(timeout=30_000)  # the page asks again until the webhook has come
    change.click()
    expect(page.get_by_text("The plan was changed.")).to_be_visible()
    picture(page, "45-pro")
    page.get_by_role("button", name=re.compile("^End it on")).click()
    expect(page.get_by_text("ends with the period").first).to_be_visible()
    page.get_by_role("button", name="Keep the subscription").click()
    expect(page.get_by_text("The subscription goes on.")).to_be_visible()
    page.get_by_role("button", name="End it now and invoice what was used").click()
    expect(page.get_by_text("The subscription has ended.")).to_be_visible()
    expect(page.get_by_role("button", name="Subscribe to Pro")).to_be_visible()
    picture(page, "46-ended")


def test_a_day_is_one_bar_of_utc_s_day_wherever_its_reader_is(browser: Browser, portal: str) -> None:
    away = browser.new_context(base_url=portal, locale="en-US", timezone_id="America/Los_Angeles")
    page = away.new_page()
    sign_in(page, EMAIL, PASSWORD)
    page.goto(f"/billing/statement?by=day&from={DAY}&to={DAY}")
    legend = page.locator(".u-legend")
    expect(legend).to_contain_text(f"{DAY.day} {DAY:%b %Y}")
    expect(legend).to_contain_text("$0.25")
    expect(page.get_by_role("img", name="Cost by day")).to_be_visible()
    in_the_middle = """() => {
        const [canvas, plot] = [document.querySelector(".chart canvas"), document.querySelector(".u-over")];
        const scale = canvas.width / canvas.clientWidth;
        const at = [plot.offsetLeft + plot.offsetWidth / 2, plot.offsetTop + plot.offsetHeight - 5];
        return canvas.getContext("2d").getImageData(at[0] * scale, at[1] * scale, 1, 1).data[3];
    }"""
    assert page.evaluate(in_the_middle) == 255, "the bar stands where its day is"
    picture(page, "47-statement")
    page.emulate_media(color_scheme="dark")
    picture(page, "48-statement-dark")


def balance(page: Page, expected: str) -> None:
    """The webhook comes when it comes."""
    end = time.monotonic() + 30
    while page.locator("#spendable").inner_text() != expected:
        assert time.monotonic() < end, page.locator("#spendable").inner_text()
        time.sleep(0.5)
        page.goto("/billing/credits")

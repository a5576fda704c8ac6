"""From a table to a model that answers, in a real browser: upload, profile, train, judge, publish, try, call."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests import chromium
from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.working import Worker
from tests.journeys.test_a_newcomer import picture, sign_in

pytestmark = pytest.mark.slow
PRICE = "from marketplace.training.seeds import seed_price; seed_price()"
TRAINED_MS = 240_000


@pytest.fixture
def page(installation: Installation) -> Iterator[Page]:
    """A page on which nothing goes wrong unseen: no script error, nothing refused by the security policy."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.ensure(), args=chromium.ARGUMENTS)
        made = browser.new_context(base_url=installation.url, locale="en-US").new_page()
        made.set_default_timeout(30_000)
        wrong: list[str] = []
        made.on("pageerror", lambda error: wrong.append(f"{made.url}: {error}"))
        made.on("console", lambda m: wrong.append(m.text) if "Content Security Policy" in m.text else None)
        yield made
        browser.close()
        assert not wrong


def customers(folder: Path) -> Path:
    dice = random.Random(2)
    lines = ["customer id,age,city,fee,leaves"]
    for at in range(200):
        age, city = dice.randint(20, 70), dice.choice(["Rome", "Oslo", "Lima"])
        leaves = "yes" if age > 45 or city == "Lima" else "no"
        lines.append(f"{at},{'' if dice.random() < 0.1 else age},{city},{dice.random() * 9:.2f},{leaves}")
    path = folder / "customers.csv"
    path.write_text("\n".join(lines))
    return path


def test_a_table_becomes_a_model_that_answers(
    page: Page, installation: Installation, worker: Worker, tmp_path: Path
) -> None:
    installation.manage("shell", "-v0", "-c", PRICE)
    sign_in(page, EMAIL, "bench-Passw0rd!")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Train").click()
    expect(page.get_by_role("heading", name="Train your own")).to_be_visible()

    # A file that cannot be used says where.
    (tmp_path / "broken.csv").write_text("a,b\n" + "1,2\n" * 12 + "3\n")
    page.locator("#file").set_input_files(tmp_path / "broken.csv")
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("Line 14 has 1 columns instead of 2: b is missing.")).to_be_visible()

    page.goto("/training")
    page.locator("#file").set_input_files(customers(tmp_path))
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="Some rows")).to_be_visible()
    picture(page, "30-dataset")
    page.get_by_role("link", name="Train on this").click()
    expect(page.get_by_label("What shall be predicted?")).to_have_value("leaves")
    expect(page.locator("[data-quote-most]")).to_have_text("$0.024")
    page.get_by_label("Budget, in seconds of compute").fill("60")
    expect(page.locator("[data-quote-most]")).to_have_text("$0.012")
    page.get_by_label("Epochs at most").fill("15")
    page.get_by_label("fee", exact=True).select_option("")
    picture(page, "31-train")
    page.get_by_role("button", name="Start training").click()

    # It is watched, then judged on rows apart.
    expect(page.locator("#run")).to_contain_text("epoch", timeout=TRAINED_MS)
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible(timeout=TRAINED_MS)
    expect(page.get_by_text(re.compile(r"s of compute used: \$0\.0"))).to_be_visible()
    picture(page, "32-run")
    page.get_by_label("Name", exact=True).fill("leavers")
    page.locator("aside").get_by_role("button", name="Publish").click()

    # The form has a choice for the words; a missing age is fine.
    page.wait_for_url("**/models/bench/leavers")
    page.get_by_label("city", exact=True).select_option("Lima")
    page.get_by_label("age", exact=True).fill("")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".bars li").first).to_contain_text("yes")
    picture(page, "33-own-model")

    def asked(features: dict[str, object]) -> tuple[int, object]:
        status, body, _ = installation.call("/v1/models/bench/leavers/predictions", {"input": {"features": features}})
        return status, body["output"]["label"] if status == 200 else body["error"]["param"]

    assert asked({"age": 22, "city": "Oslo"}) == (200, "no")
    assert asked({"age": None, "city": "Lima"}) == (200, "yes")
    assert asked({"age": 60, "city": "Atlantis"}) == (200, "yes")
    assert asked({"age": "old"}) == (422, "/input/features/age")
    status, body, _ = installation.call(
        "/v1/models/bench/leavers/predictions", {"input": {"rows": [{"age": 22}, {"city": "Lima"}]}}
    )
    assert [row["label"] for row in body["output"]["rows"]][1] == "yes"

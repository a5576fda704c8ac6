"""/golden: upload, estimate, run, read, share and delete, without JavaScript."""

from __future__ import annotations

import csv
import io
import re

import pytest
from django.test import Client

from inference.golden.models import Example, GoldenRun, GoldenSet
from portal.accounts.models import Key, User, Workspace
from tests.fixtures.oracle import Oracle
from tests.fixtures.people import signed_in
from tests.inference.golden.test_a_run_compares_models import talker, worked

TABLE = b"input,expected,slice:size\nOne?,one,small\nTwo?,two,small\nThree?,three,large\n"


@pytest.fixture
def browser(owner: User, funded: Workspace) -> Client:
    return signed_in(owner)


def upload(browser: Client, content: bytes = TABLE, name: str = "numbers.csv") -> str:
    file = io.BytesIO(content)
    file.name = name
    answer = browser.post("/golden", {"task": "chat", "file": file})
    return answer.headers.get("Location", "") or answer.content.decode()


def ran(browser: Client, oracle: Oracle) -> tuple[str, GoldenRun]:
    """The address of a run that has ended, and the run."""
    oracle.knows = {"One?": "one", "Two?": "deux"}
    page, models = upload(browser), [talker(oracle, "first"), talker(oracle, "second")]
    answer = browser.post(f"{page}/runs", {"m": models, "max_cost": "0.5"})
    run = GoldenRun.objects.get()
    assert answer.headers["Location"] == f"{page}/runs/{run.pk}"
    return answer.headers["Location"], worked(run)


def test_the_estimate_is_shown_before_anything_is_run(browser: Client, oracle: Oracle) -> None:
    page, model = upload(browser), talker(oracle, "priced")
    shown = browser.get(page, {"m": model}).content.decode()
    assert "acme/priced@1" in shown
    assert re.search(r'name="max_cost"[^>]*value="0\.0\d+"', shown)
    assert not GoldenRun.objects.exists()
    assert oracle.asked == []


def test_the_models_stand_side_by_side(browser: Client, oracle: Oracle) -> None:
    address, run = ran(browser, oracle)
    shown = browser.get(address).content.decode()
    for part in ("acme/first@1", "33.3 %", "size: small", "I do not know.", "deux", "Three?", "<svg"):
        assert part in shown, part
    assert run.golden_set.slices == ["size"]
    key = Key.objects.get(pk=run.key_id)
    assert (key.kind, key.created_by is not None) == ("ephemeral", True), "a member's own caps bind"


def test_every_answer_can_be_downloaded_and_no_spreadsheet_runs_it(browser: Client, oracle: Oracle) -> None:
    oracle.knows = {"One?": "=1+1", "Two?": "two"}
    page, model = upload(browser), talker(oracle, "sheet")
    address = browser.post(f"{page}/runs", {"m": [model]}).headers["Location"]
    worked(GoldenRun.objects.get())
    rows = list(csv.reader(io.StringIO(browser.get(f"{address}/answers.csv").getvalue().decode())))
    assert rows[0] == [
        "number",
        "input",
        "expected",
        "slice:size",
        *(f"acme/sheet@1 {it}" for it in ("said", "score", "error", "ms")),
    ]
    assert rows[1][:6] == ["1", "One?", "one", "small", "'=1+1", "0"]
    assert rows[2][4:6] == ["two", "1"]
    assert len(rows) == 4


def test_while_it_runs_the_page_asks_for_itself(browser: Client, oracle: Oracle) -> None:
    page, model = upload(browser), talker(oracle, "slow")
    address = browser.post(f"{page}/runs", {"m": [model], "max_cost": ""}).headers["Location"]
    part = browser.get(address, headers={"hx-request": "true"})
    assert 'hx-trigger="every 1s"' in part.content.decode()
    assert "HX-Refresh" not in part.headers
    browser.post(f"{address}/cancel")
    worked(GoldenRun.objects.get())
    assert browser.get(address, headers={"hx-request": "true"}).headers["HX-Refresh"] == "true"


def test_a_link_shows_results_alone_unless_more_is_wished_until_it_is_ended(browser: Client, oracle: Oracle) -> None:
    address, run = ran(browser, oracle)
    anybody = Client()
    browser.post(f"{address}/share", {"to": "link"})
    run.refresh_from_db()
    link = f"/golden/shared/{run.token}"
    bare = anybody.get(link)
    assert bare.headers["X-Robots-Tag"] == "noindex"
    assert "acme/first@1" in bare.content.decode()
    for private in ("Three?", "deux", "I do not know."):
        assert private not in bare.content.decode()
    browser.post(f"{address}/share", {"to": "link_with_inputs"})
    assert "Three?" in anybody.get(link).content.decode()
    browser.post(f"{address}/share", {"to": ""})
    assert anybody.get(link).status_code == 404
    browser.post(f"{address}/share", {"to": "link"})
    run.refresh_from_db()
    assert run.token not in link, "a link that was ended stays dead"


def test_mistakes_are_listed_and_nothing_is_kept(browser: Client) -> None:
    shown = upload(browser, b"input,expected\nOne?,\nTwo?,two,2\n")
    assert "Line 2" in shown
    assert "Line 3" in shown
    assert not GoldenSet.objects.exists()


def test_a_sample_is_a_click_away(browser: Client) -> None:
    page = browser.post("/golden/samples", {"task": "text-classification"}).headers["Location"]
    assert GoldenSet.objects.get().size == Example.objects.count() == 10
    assert "Bahnhof" in browser.get(page).content.decode()
    assert browser.get("/golden/samples/chat.jsonl").headers["Content-Disposition"].endswith('"chat.jsonl"')
    assert browser.get("/golden/samples/chat.xlsx").status_code == 404
    assert browser.get("/golden/samples/tensor.csv").status_code == 404


def test_what_is_at_work_is_not_deleted_under_it(browser: Client, oracle: Oracle) -> None:
    page, model = upload(browser), talker(oracle, "busy")
    address = browser.post(f"{page}/runs", {"m": [model]}).headers["Location"]
    browser.post(f"{address}/delete")
    browser.post(f"{page}/delete")
    assert GoldenRun.objects.count() == GoldenSet.objects.count() == 1
    worked(GoldenRun.objects.get())
    browser.post(f"{page}/delete")
    assert not GoldenSet.objects.exists()
    assert not Example.objects.exists()


def test_too_large_a_file_is_refused_before_it_is_read(browser: Client) -> None:
    assert browser.post("/golden", {"task": "chat"}, CONTENT_LENGTH="99999999").status_code == 413

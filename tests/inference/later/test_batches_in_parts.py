"""Batches of which a part fails: billed for what was answered, and the rest retried by a word."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.fixtures.places import Place
from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.upstream import Upstream
from tests.fixtures.working import until

pytestmark = pytest.mark.usefixtures("worker")
Places = tuple[Place, Place]
CHAT = {"messages": [{"role": "user", "content": "hello"}]}
ENDED = ("completed", "failed", "cancelled", "expired")


def sdk(installation: Installation, key: str = "") -> Any:
    return openai.OpenAI(base_url=f"{installation.url}/v1", api_key=key or installation.key, max_retries=0)


def begin(client: Any, bodies: list[dict[str, Any]], **more: Any) -> Any:
    rows = [
        {"custom_id": f"line-{at}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        for at, body in enumerate(bodies)
    ]
    file = io.BytesIO(b"\n".join(json.dumps(row).encode() for row in rows))
    file.name = "requests.jsonl"
    uploaded = client.files.create(file=file, purpose="batch")
    return client.batches.create(
        input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h", **more
    )


def ended(client: Any, batch_id: str, seconds: float = 60) -> Any:
    return until(lambda: (b := client.batches.retrieve(batch_id)).status in ENDED and b, seconds)


def rows(client: Any, file_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.files.content(file_id).text.splitlines()]


@pytest.fixture
def own() -> Iterator[Upstream]:
    """An upstream that no other test's requests reach."""
    made = Upstream()
    yield made
    made.shutdown()
    made.server_close()


def test_only_what_failed_is_retried_with_its_ceiling_checked_again(installation: Installation, own: Upstream) -> None:
    installation.manage(
        "add_model", "bench/partly", "--task", "chat", "--engine", "openai", "--source", own.url,
        "--price-input", "1.0", "--price-output", "2.0",
    )  # fmt: skip
    client = sdk(installation)
    own.behave[:] = ["400"]
    before = installation.used()["total_nanos"]
    first = ended(client, begin(client, [{"model": "bench/partly", **CHAT}] * 5).id)
    assert (first.status, first.request_counts.completed, first.request_counts.failed) == ("completed", 4, 1)
    (failed,) = rows(client, first.error_file_id)
    assert failed["response"]["status_code"] == 400
    retry = f"/v1/batches/{first.id}/retry"
    dear = ended(client, installation.call(retry, {"max_cost": "0.0000001"})[1]["id"])
    assert (dear.status, dear.errors.data[0].code) == ("failed", "max_cost_exceeded")
    assert installation.used()["total_nanos"] - before == 4 * 15_000 // 2
    again = ended(client, installation.call(retry, b"")[1]["id"])
    assert (again.status, again.request_counts.total, again.metadata) == ("completed", 1, {"retry_of": first.id})
    assert rows(client, again.output_file_id)[0]["custom_id"] == failed["custom_id"]
    assert installation.used()["total_nanos"] - before == 5 * 15_000 // 2
    status, answer, _ = installation.call(f"/v1/batches/{again.id}/retry", b"")
    assert (status, answer["error"]["code"]) == (422, "batch_invalid")


def test_budget_that_runs_out_in_the_middle_fails_the_lines_that_it_does_not_cover(installation: Installation) -> None:
    small = installation.manage("create_key", EMAIL, "--rpm", "0", "--cap", "0.0003")
    client = sdk(installation, small)
    before = installation.used()["total_nanos"]
    done = ended(client, begin(client, [{"model": "bench/m", **CHAT, "max_tokens": 100}] * 100).id)
    assert done.status == "completed"
    answered, failed = rows(client, done.output_file_id), rows(client, done.error_file_id)
    assert len(answered) + len(failed) == 100
    assert answered
    assert failed
    assert {row["response"]["status_code"] for row in failed} == {402}
    assert installation.used()["total_nanos"] - before == len(answered) * 15_000 // 2 <= 300_000


@pytest.mark.slow
def test_an_upstream_that_is_away_for_a_while_fails_no_line(installation: Installation, places: Places) -> None:
    installation.manage(
        "add_model", "bench/away", "--task", "chat", "--engine", "openai", "--source", places[0].url,
        "--price-request", "0.001",
    )  # fmt: skip
    places[0].refusal = 429, {}
    client = sdk(installation)
    batch = begin(client, [{"model": "bench/away", **CHAT}] * 3)
    until(lambda: places[0].refused >= 6, 30)  # twice each
    places[0].refusal = None
    done = ended(client, batch.id)
    assert (done.request_counts.completed, done.request_counts.failed) == (3, 0)
    assert places[0].served == 3


def test_one_that_is_cancelled_keeps_what_was_answered(installation: Installation, places: Places) -> None:
    installation.manage("add_model", "bench/stopped", "--task", "chat", "--engine", "openai", "--source", places[0].url)
    places[0].delay_s = 0.05
    client = sdk(installation)
    batch = begin(client, [{"model": "bench/stopped", **CHAT}] * 500)
    until(lambda: client.batches.retrieve(batch.id).request_counts.completed > 10)
    assert client.batches.cancel(batch.id).cancelling_at
    done = ended(client, batch.id)
    assert done.status == "cancelled"
    assert done.request_counts.total == 500 > done.request_counts.completed == len(rows(client, done.output_file_id))


@pytest.mark.slow
def test_fifty_thousand_lines_are_read_in_parts(installation: Installation) -> None:
    client = sdk(installation)
    batch = begin(client, [{"model": "bench/m", **CHAT}] * 50_000)
    running = until(lambda: (b := client.batches.retrieve(batch.id)).status != "validating" and b, 120)
    assert (running.status, running.request_counts.total) == ("in_progress", 50_000), running
    client.batches.cancel(batch.id)
    assert ended(client, batch.id).status == "cancelled"
    dear = ended(client, begin(client, [{"model": "bench/m", **CHAT}] * 2_000, extra_body={"max_cost": "0.01"}).id)
    assert (dear.status, dear.request_counts.total) == ("failed", 0)

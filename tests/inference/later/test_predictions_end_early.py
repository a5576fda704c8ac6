"""Predictions that are called off, run out of time, or tell what came of them: for every task, with the same bill."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pytest

from tests.fixtures.chunks import Chunks
from tests.fixtures.places import Place
from tests.fixtures.servers import free_port
from tests.fixtures.serving import Installation
from tests.fixtures.working import until

pytestmark = pytest.mark.usefixtures("worker")
Places = tuple[Place, Place]
LATER = {"Prefer": "respond-async"}
TEXTS = {"input": {"texts": ["four", "score"]}}


@pytest.fixture(scope="module")
def writer(installation: Installation, chunks: Chunks) -> str:
    """The predictions of a model that writes as its prompt says."""
    installation.manage(
        "add_model", "bench/later", "--task", "chat", "--engine", "openai", "--source", chunks.url,
        "--price-input", "1", "--price-output", "2",
    )  # fmt: skip
    return "/v1/models/bench/later/predictions"


def prompt(said: str) -> dict[str, Any]:
    return {"input": {"messages": [{"role": "user", "content": said}]}}


def begin(installation: Installation, address: str, body: Any, **headers: str) -> Any:
    status, begun, _ = installation.call(address, body, **LATER, **headers)
    assert status == 202, begun
    return begun


def now(installation: Installation, begun: Any) -> Any:
    return installation.call(f"/v1/predictions/{begun['id']}")[1]


def ended(installation: Installation, begun: Any) -> Any:
    return until(lambda: (p := now(installation, begun))["status"] not in ("starting", "processing") and p)


def bill(installation: Installation, begun: Any) -> list[tuple[str, int]]:
    found = [event for event in installation.used()["events"] if event["request_id"] == begun["id"]]
    return [(event["status"], event["cost_nanos"]) for event in found]


def events(installation: Installation, begun: Any) -> list[tuple[str, Any]]:
    """Of its stream, until it ends."""
    request = urllib.request.Request(
        f"{installation.url}/v1/predictions/{begun['id']}/stream",
        headers={"Authorization": f"Bearer {installation.key}"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        blocks = response.read().decode().split("\n\n")
    fields = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks if block.startswith("id: ")]
    return [(event["event"], json.loads(event["data"])) for event in fields]


def test_a_deadline_in_the_middle_aborts_a_stream_and_nothing_is_charged(
    installation: Installation, chunks: Chunks, writer: str
) -> None:
    begun = begin(installation, writer, prompt("late hold 3"), **{"Cancel-After": "6s"})
    told = events(installation, begun)
    assert "".join(data["text"] for kind, data in told if kind == "output") == "tok tok tok "
    assert told[-1][0] == "done"
    assert (told[-1][1]["status"], told[-1][1]["cost"]) == ("aborted", "0.00")
    assert told[-1][1]["error"]["code"] == "deadline_passed"
    assert chunks.of("late").ended.wait(2), "the upstream was told"
    done = ended(installation, begun)
    assert (done["status"], done["output"], done["cost"]) == ("aborted", None, "0.00")
    assert bill(installation, begun) == [("canceled", 0)]


def test_a_deadline_ends_the_wait_for_an_upstream_that_is_silent(installation: Installation, places: Places) -> None:
    installation.manage(
        "add_model", "bench/silent", "--task", "embeddings", "--engine", "openai", "--source", places[0].url
    )
    places[0].open.clear()
    started = time.monotonic()
    begun = begin(installation, "/v1/models/bench/silent/predictions", TEXTS, **{"Cancel-After": "6s"})
    until(lambda: places[0].asked, 6)  # a worker's first prediction may take seconds to begin
    assert ended(installation, begun)["status"] == "aborted"
    assert time.monotonic() - started < 10
    until(places[0].is_left, 2)
    assert bill(installation, begun) == [("canceled", 0)]
    status, answer, _ = installation.call("/v1/models/bench/silent/predictions", TEXTS, **{"Cancel-After": "1s"})
    assert (status, answer["error"]["code"]) == (504, "deadline_passed"), "and so for who waits on the line"


def test_one_that_is_called_off_at_an_upstream_ends_within_a_second_for_nothing(
    installation: Installation, places: Places
) -> None:
    installation.manage(
        "add_model", "bench/deaf", "--task", "embeddings", "--engine", "openai", "--source", places[0].url,
        "--price-request", "0.01",
    )  # fmt: skip
    places[0].open.clear()
    begun = begin(installation, "/v1/models/bench/deaf/predictions", TEXTS)
    until(lambda: now(installation, begun)["status"] == "processing")
    time.sleep(0.3)
    asked = time.monotonic()
    assert installation.call(f"/v1/predictions/{begun['id']}/cancel", b"")[0] == 200
    done = ended(installation, begun)
    took = time.monotonic() - asked
    assert (done["status"], done["cost"], done["error"]) == ("canceled", "0.00", None)
    assert took < 1.5  # with what it takes to ask
    until(places[0].is_left, 2)
    assert bill(installation, begun) == [("canceled", 0)]


def test_one_that_waits_is_called_off_at_once_and_one_that_writes_is_billed_for_what_it_wrote(
    installation: Installation, chunks: Chunks, writer: str
) -> None:
    busy = [begin(installation, writer, prompt(f"busy-{number} hold 2")) for number in range(3)]
    until(lambda: all(now(installation, one)["status"] == "processing" for one in busy))
    until(lambda: all(chunks.of(f"busy-{number}").written == 2 for number in range(3)))
    waits = begin(installation, writer, prompt("waits hold 2"))
    assert waits["status"] == "starting", "no more than three are made at the same time"
    assert waits["queue"]["position"] == 3
    assert installation.call(f"/v1/predictions/{waits['id']}/cancel", b"")[1]["status"] == "canceled"
    assert [kind for kind, _ in events(installation, waits)] == ["done"]
    for one in busy:
        installation.call(f"/v1/predictions/{one['id']}/cancel", b"")
    for one in busy:
        done = ended(installation, one)
        assert (done["status"], done["output"]["text"]) == ("canceled", "tok tok ")
        ((status, nanos),) = bill(installation, one)
        assert (status, done["usage"]["output_token"]) == ("canceled", 2)
        assert nanos > 0
    assert bill(installation, waits) == []


def test_a_task_that_does_not_stream_tells_its_whole_output(installation: Installation) -> None:
    begun = begin(installation, "/v1/models/bench/vectors/predictions", TEXTS)
    (first, output), (last, done) = events(installation, begun)
    assert (first, last) == ("output", "done")
    assert output["output"]["embeddings"] == [[4.0, 0.5], [5.0, 0.5]]
    assert {**done, "usage": {}} == {"status": "succeeded", "error": None, "usage": {}, "cost": "0.001"}
    request = urllib.request.Request(
        f"{installation.url}/v1/models/bench/vectors/predictions", json.dumps(TEXTS).encode(),
        {"Authorization": f"Bearer {installation.key}", "Content-Type": "application/json", "Accept": "text/event-stream"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        told = response.read().decode()
    assert [line for line in told.split("\n") if line.startswith("event")] == ["event: output", "event: completed"]


def test_an_upstream_that_fails_in_the_middle_ends_it_with_what_came_and_its_cost(
    installation: Installation, writer: str
) -> None:
    begun = begin(installation, writer, prompt("torn break 3"))
    done = ended(installation, begun)
    assert (done["status"], done["error"]["code"], done["output"]["text"]) == (
        "failed",
        "upstream_failed",
        "tok tok tok ",
    )
    ((status, nanos),) = bill(installation, begun)
    assert (status, done["usage"]["output_token"]) == ("failed", 3)
    assert float(done["cost"]) * 1e9 == pytest.approx(nanos)
    assert events(installation, begun)[-1][1]["error"]["code"] == "upstream_failed"


def test_a_worker_goes_by_what_the_caller_allowed(installation: Installation) -> None:
    installation.manage(
        "add_model", "bench/nowhere", "--task", "chat", "--engine", "openai", "--source", f"http://127.0.0.1:{free_port()}/v1",
        "--price-output", "1",
    )  # fmt: skip
    address, body = "/v1/models/bench/nowhere/predictions", prompt("hello")
    assert ended(installation, begin(installation, address, body))["status"] == "failed"
    allowed = begin(installation, address, {**body, "fallback_models": ["bench/m"]})
    assert ended(installation, allowed)["output"]["text"] == "w0 w1 w2 w3 "


def test_nobody_can_pretend_that_an_operation_was_paid(installation: Installation) -> None:
    for name in ("pred_0190", "batch_0190:1", "a" * 64):
        chat = {"model": "bench/m", "messages": [{"role": "user", "content": "hello"}]}
        status, answer, _ = installation.call("/v1/chat/completions", chat, **{"x-operation-id": name})
        assert (status, answer["error"]["param"]) == (422, "x-operation-id")

"""Asynchronous predictions, their streams and webhooks, files and batches: a web process, a worker, official SDKs."""

from __future__ import annotations

import io
import json
import time
import urllib.request
from typing import Any

import openai
import pytest
from standardwebhooks import Webhook

from portal.kit import outbound
from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.working import Receiver, Worker, until

pytestmark = pytest.mark.usefixtures("worker")
CHAT = {"messages": [{"role": "user", "content": "hello"}]}
ADDRESS = "/v1/models/bench/m/predictions"


def prediction(installation: Installation, name: str) -> Any:
    status, found, _ = installation.call(f"/v1/predictions/{name}")
    assert status == 200, found
    return found


def ended(installation: Installation, name: str) -> Any:
    return until(lambda: (p := prediction(installation, name))["status"] not in ("starting", "processing") and p)


def cost_of(installation: Installation, operation: str) -> list[int]:
    return [e["cost_nanos"] for e in installation.used()["events"] if e["request_id"] == operation]


def test_an_asynchronous_prediction_is_made_and_billed_once(installation: Installation) -> None:
    status, begun, headers = installation.call(ADDRESS, {"input": CHAT}, Prefer="respond-async")
    assert status == 202
    assert begun["status"] == "starting"
    assert begun["queue"]["position"] >= 0
    assert headers["location"].endswith(begun["id"])
    done = ended(installation, begun["id"])
    assert done["status"] == "succeeded", done
    assert done["output"]["text"] == "w0 w1 w2 w3 "
    assert done["cost"] == "0.000017"
    assert cost_of(installation, begun["id"]) == [17_000]
    stranger = installation.manage("create_account", "late@example.com", "--password", "bench-Passw0rd!")
    assert stranger
    other = installation.manage("create_key", "late@example.com")
    assert installation.call(f"/v1/predictions/{begun['id']}", None, other)[0] == 404


def test_waiting_gives_the_answer_if_it_comes_in_time(installation: Installation) -> None:
    status, done, _ = installation.call(ADDRESS, {"input": CHAT}, Prefer="wait=20")
    assert (status, done["status"]) == (200, "succeeded")
    installation.upstream.behave[:] = ["long"]
    status, begun, _ = installation.call(ADDRESS, {"input": CHAT}, Prefer="wait=1")
    assert (status, begun["status"]) == (202, "processing")
    status, asked, _ = installation.call(f"/v1/predictions/{begun['id']}/cancel", b"")
    assert status == 200
    done = ended(installation, begun["id"])
    assert done["status"] == "canceled"
    assert 0 < done["usage"]["output_token"] < 200
    assert len(cost_of(installation, begun["id"])) == 1


def test_time_that_runs_out_aborts_for_nothing(installation: Installation) -> None:
    installation.upstream.behave[:] = ["slow"]
    status, begun, _ = installation.call(ADDRESS, {"input": CHAT}, Prefer="respond-async", **{"Cancel-After": "1s"})
    done = ended(installation, begun["id"])
    assert (done["status"], done["cost"]) in (("aborted", "0.00"), ("failed", "0.00")), done
    assert installation.call(ADDRESS, {"input": CHAT}, Prefer="respond-async", **{"Cancel-After": "soon"})[0] == 422


def test_a_stream_goes_on_where_its_reader_was_cut_off(installation: Installation) -> None:
    installation.upstream.behave[:] = ["long"]
    _, begun, _ = installation.call(ADDRESS, {"input": CHAT}, Prefer="respond-async")

    def read(last: str = "", most: int = 999) -> list[tuple[str, str, Any]]:
        headers = {"Authorization": f"Bearer {installation.key}", **({"Last-Event-ID": last} if last else {})}
        request = urllib.request.Request(f"{installation.url}/v1/predictions/{begun['id']}/stream", headers=headers)
        found = []
        with urllib.request.urlopen(request, timeout=30) as response:
            event: dict[str, str] = {}
            for raw in response:
                line = raw.decode().rstrip("\n")
                if not line and "data" in event:
                    found.append((event["id"], event["event"], json.loads(event["data"])))
                    event = {}
                    if len(found) >= most:
                        break
                elif ": " in line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    event[name] = value
        return found

    first = read(most=2)
    rest = read(last=first[-1][0])
    numbers = [int(number) for number, _, _ in first + rest]
    assert numbers == list(range(1, len(numbers) + 1))
    assert rest[-1][1] == "done"
    text = "".join(data["text"] for _, kind, data in first + rest if kind == "output")
    assert text.startswith(prediction(installation, begun["id"])["output"]["text"][: len(text) - 20])
    assert read() == first + rest, "and it can be read again"


def test_predictions_are_listed_newest_first(installation: Installation) -> None:
    _, listed, _ = installation.call("/v1/predictions")
    times = [row["created_at"] for row in listed["results"]]
    assert times == sorted(times, reverse=True)
    assert installation.call("/v1/predictions?created_after=yesterday")[0] == 422


def test_webhooks_are_signed_retried_and_logged(installation: Installation, receiver: Receiver) -> None:
    boss = installation.manage("create_key", EMAIL, "--rpm", "0", "--scope", "keys", "--scope", "inference")
    receiver.behave[:] = [500]
    status, made, _ = installation.call("/v1/webhooks", {"url": receiver.url, "events": ["prediction.completed"]}, boss)
    assert status == 201, made
    installation.call(ADDRESS, {"input": CHAT, "webhook": receiver.url}, Prefer="wait=20")
    until(lambda: len(receiver.seen) >= 3, 40)  # one of the two was refused once, and came again
    default = installation.call("/v1/webhooks/default/secret", None, boss)[1]["key"]
    for headers, body in receiver.seen:
        verified = 0
        for secret in (made["secret"], default):
            try:
                told = Webhook(secret).verify(body, headers)
                verified += 1
                assert told["type"] == "prediction.completed"
            except Exception:  # noqa: S112 – signed by the other
                continue
        assert verified == 1
    _, rotated, _ = installation.call(f"/v1/webhooks/{made['id']}/rotate", b"", boss)
    before = len(receiver.seen)
    assert installation.call(f"/v1/webhooks/{made['id']}/test", b"", boss)[0] == 201
    until(lambda: len(receiver.seen) > before)
    headers, body = receiver.seen[-1]
    assert len(headers["webhook-signature"].split()) == 2
    Webhook(rotated["secret"]).verify(body, headers)
    Webhook(made["secret"]).verify(body, headers)
    _, log, _ = installation.call(f"/v1/webhooks/{made['id']}/deliveries", None, boss)
    assert {delivery["status"] for delivery in log["data"]} == {204}
    assert receiver.seen[-1][0]["webhook-id"] == log["data"][0]["id"]


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "http://[::ffff:127.0.0.1]/",
            "http://localhost:1/", "ftp://example.com/", "http://user@example.com/", "http://0.0.0.0/", "x"],
)  # fmt: skip
def test_addresses_inside_are_never_called(url: str) -> None:
    with pytest.raises(outbound.AddressRefused):
        outbound.check(url)


def lines(*bodies: dict[str, Any], url: str = "/v1/chat/completions") -> io.BytesIO:
    rows = [{"custom_id": f"line-{at}", "method": "POST", "url": url, "body": body} for at, body in enumerate(bodies)]
    file = io.BytesIO("\n".join(json.dumps(row) for row in rows).encode())
    file.name = "requests.jsonl"
    return file


def run_batch(client: Any, file: io.BytesIO, endpoint: str = "/v1/chat/completions", **more: Any) -> Any:
    uploaded = client.files.create(file=file, purpose="batch")
    batch = client.batches.create(input_file_id=uploaded.id, endpoint=endpoint, completion_window="24h", **more)
    return until(
        lambda: (b := client.batches.retrieve(batch.id)).status in ("completed", "failed", "cancelled") and b, 60
    )


@pytest.fixture
def client(installation: Installation) -> Any:
    installation.upstream.behave.clear()
    return openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key, max_retries=0)


def test_the_sdk_runs_a_batch_at_half_price_and_only_failed_lines_again(
    client: Any, installation: Installation
) -> None:
    installation.upstream.behave[:] = ["500"]
    before = installation.used()["total_nanos"]
    chat = {"model": "bench/m", **CHAT}
    done = run_batch(client, lines(*[chat] * 10), metadata={"a": "b"})
    assert done.status == "completed"
    assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (10, 10, 0)
    rows = [json.loads(line) for line in client.files.content(done.output_file_id).text.splitlines()]
    assert [row["custom_id"] for row in rows] == [f"line-{at}" for at in range(10)]
    assert {row["response"]["body"]["choices"][0]["message"]["content"] for row in rows} == {"hello there"}
    assert installation.used()["total_nanos"] - before == 10 * 15_000 // 2
    assert done.metadata == {"a": "b"}
    assert (done.model, done.usage.input_tokens, done.usage.output_tokens) == ("bench/m", 90, 30)
    assert (done.usage.total_tokens, done.usage.cost) == (120, "0.000075")


def test_a_batch_of_embeddings_and_one_of_images(client: Any) -> None:
    body = {"model": "bench/vectors", "input": "four"}
    done = run_batch(client, lines(body, body, url="/v1/embeddings"), "/v1/embeddings")
    assert (done.status, done.usage.input_tokens, done.usage.output_tokens) == ("completed", 14, 0)
    body = {"model": "bench/painter", "prompt": "a ship"}
    done = run_batch(client, lines(body, url="/v1/images/generations"), "/v1/images/generations")
    assert done.status == "completed"
    assert b"aW1hZ2U=" in client.files.content(done.output_file_id).read()


def test_what_a_call_alone_may_wish_is_no_field_of_a_line(client: Any) -> None:
    wrong = run_batch(client, lines({"model": "bench/m", **CHAT, "max_cost": "0.1"}))
    assert (wrong.status, wrong.errors.data[0].param, wrong.usage) == ("failed", "/max_cost", None)


def test_a_batch_that_is_wrong_or_too_dear_costs_nothing_and_says_which_line(
    client: Any, installation: Installation
) -> None:
    before = installation.used()["total_nanos"]
    chat = {"model": "bench/m", **CHAT}
    wrong = run_batch(client, lines(chat, {"model": "bench/none", **CHAT}))
    assert wrong.status == "failed"
    assert [(error.line, error.code) for error in wrong.errors.data] == [(2, "model_not_found")]
    dear = run_batch(client, lines(chat), extra_body={"max_cost": "0.000001"})
    assert dear.errors.data[0].code == "max_cost_exceeded"
    assert installation.used()["total_nanos"] == before


def test_files_are_listed_read_and_deleted(client: Any) -> None:
    uploaded = client.files.create(file=lines({"model": "bench/m"}), purpose="batch")
    assert uploaded.id in [file.id for file in client.files.list()]
    assert client.files.retrieve(uploaded.id).filename == "requests.jsonl"
    assert b"line-0" in client.files.content(uploaded.id).read()
    assert client.files.delete(uploaded.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(uploaded.id)


def test_a_nul_that_an_upstream_says_loses_no_answer(installation: Installation, client: Any) -> None:
    installation.upstream.behave[:] = ["nul"]
    at_once = client.chat.completions.create(model="bench/m", **CHAT)
    assert at_once.choices[0].message.content == "hello\0there"
    installation.upstream.behave[:] = ["nul"]
    _, begun, _ = installation.call(ADDRESS, {"input": CHAT}, Prefer="respond-async")
    done = ended(installation, begun["id"])
    assert (done["status"], done["output"]["text"]) == ("succeeded", "w0\ufffdw1\ufffdw2\ufffdw3\ufffd")
    installation.upstream.behave[:] = ["nul"]
    batch = run_batch(client, lines({"model": "bench/m", **CHAT}))
    assert (batch.status, batch.request_counts.completed) == ("completed", 1)
    row = json.loads(client.files.content(batch.output_file_id).text)
    assert row["response"]["body"]["choices"][0]["message"]["content"] == "hello\ufffdthere"


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    client: Any, installation: Installation, worker: Worker
) -> None:
    before = installation.used()["total_nanos"]
    chat = {"model": "bench/m", **CHAT}
    uploaded = client.files.create(file=lines(*[chat] * 200), purpose="batch")
    batch = client.batches.create(input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h")
    until(lambda: client.batches.retrieve(batch.id).request_counts.completed > 20, 60)
    worker.kill()
    worker.start()
    done = until(lambda: (b := client.batches.retrieve(batch.id)).status == "completed" and b, 150)
    rows = [json.loads(line) for line in client.files.content(done.output_file_id).text.splitlines()]
    assert sorted(row["custom_id"] for row in rows) == sorted(f"line-{at}" for at in range(200))
    time.sleep(1)
    assert installation.used()["total_nanos"] - before == 200 * 15_000 // 2

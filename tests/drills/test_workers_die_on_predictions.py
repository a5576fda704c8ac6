"""SIGKILL to the worker while it makes predictions, and a web process that dies before it wakes one."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest

from tests.fixtures.chunks import WHOLE, Chunks
from tests.fixtures.places import Place
from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.working import Receiver, Worker, until
from tests.inference.later.test_predictions_end_early import begin, bill, ended, events, now, prompt

pytestmark = pytest.mark.slow
SWEEP = (
    "from datetime import timedelta; from django.utils import timezone; from billing.gate import leases; "
    "leases.sweep(timezone.now() + timedelta(minutes=10))"
)


def test_predictions_of_a_killed_worker_are_taken_over_soon_and_billed_and_told_once(
    installation: Installation, worker: Worker, chunks: Chunks, places: tuple[Place, Place], receiver: Receiver
) -> None:
    installation.manage(
        "add_model", "bench/streamed", "--task", "chat", "--engine", "openai", "--source", chunks.url,
        "--price-input", "1", "--price-output", "2",
    )  # fmt: skip
    installation.manage(
        "add_model", "bench/whole", "--task", "embeddings", "--engine", "openai", "--source", places[0].url,
        "--price-request", "0.001",
    )  # fmt: skip
    places[0].answer = {
        "object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }  # fmt: skip
    places[0].open.clear()
    hook = {"webhook": receiver.url, "webhook_events_filter": ["completed"]}
    streamed = begin(installation, "/v1/models/bench/streamed/predictions", {**prompt("killed hold 3"), **hook})
    whole = begin(installation, "/v1/models/bench/whole/predictions", {"input": {"texts": ["a"]}, **hook})
    until(lambda: all(now(installation, one)["status"] == "processing" for one in (streamed, whole)))
    until(lambda: chunks.of("killed").written == 3)
    time.sleep(3)  # past a checkpoint, which must not be billed beside the attempt that takes over
    worker.kill()
    killed = time.monotonic()
    chunks.of("killed").go_on.set()
    chunks.of("killed").ended.wait(5)
    chunks.of("killed").written = 0
    places[0].open.set()
    worker.start()
    for one in (streamed, whole):
        done = until(lambda one=one: (p := now(installation, one))["status"] == "succeeded" and p, 60)  # type: ignore[misc] # bound now
        assert done["metrics"]["attempts"] == 2
    assert time.monotonic() - killed < 45
    told = events(installation, streamed)
    assert [kind for kind, _ in told].count("restarted") == 1
    anew = [data["text"] for kind, data in told[[kind for kind, _ in told].index("restarted") :] if kind == "output"]
    assert "".join(anew) == "tok " * WHOLE
    until(lambda: len(receiver.seen) >= 2)
    worker.kill()
    installation.kill()
    installation.manage("shell", "-c", SWEEP)
    installation.start()
    worker.start()
    assert bill(installation, streamed) == [("succeeded", 9_000 + WHOLE * 2_000)]
    assert bill(installation, whole) == [("succeeded", 1_000_000)]
    told_of = Counter(json.loads(body)["data"]["id"] for _, body in receiver.seen)
    assert told_of == {streamed["id"]: 1, whole["id"]: 1}
    assert len({headers["webhook-id"] for headers, _ in receiver.seen}) == 2
    assert json.loads(installation.manage("audit_ledger").splitlines()[-1])["differences"] == 0


def test_a_prediction_whose_message_was_lost_is_made_all_the_same(installation: Installation, worker: Worker) -> None:
    queued = installation.manage(
        "shell", "-v0", "-c",
        "from inference.later import predictions; from inference.call import NONE; "
        "from portal.accounts.keys.lookup import caller; from portal.accounts.models import Key; from portal.kit import ids; "
        f"who = caller(Key.objects.filter(workspace__memberships__user__email='{EMAIL}', revoked_at=None).earliest('pk')); "
        "given = {'messages': [{'role': 'user', 'content': 'hello'}]}; "
        "print(predictions.queue(ids.make('pred'), who, 'bench/m', given, NONE, None).pk)",
    )  # fmt: skip
    assert ended(installation, {"id": queued.splitlines()[-1]})["status"] == "succeeded"


def test_long_predictions_and_batches_leave_threads_for_everything_else(
    installation: Installation, worker: Worker, chunks: Chunks, receiver: Receiver
) -> None:
    installation.manage("add_model", "bench/long", "--task", "chat", "--engine", "openai", "--source", chunks.url)
    address = "/v1/models/bench/long/predictions"
    long: list[Any] = [begin(installation, address, prompt(f"long-{number} hold 1")) for number in range(12)]
    until(lambda: sum(now(installation, one)["status"] == "processing" for one in long) == 3)
    boss = installation.manage("create_key", EMAIL, "--rpm", "0", "--scope", "keys", "--scope", "inference")
    _, made, _ = installation.call("/v1/webhooks", {"url": receiver.url, "events": ["webhook.test"]}, boss)
    asked = time.monotonic()
    installation.call(f"/v1/webhooks/{made['id']}/test", b"", boss)
    until(lambda: receiver.seen)
    assert time.monotonic() - asked < 6
    for one in long:
        installation.call(f"/v1/predictions/{one['id']}/cancel", b"")
    for one in long:
        assert ended(installation, one)["status"] == "canceled"

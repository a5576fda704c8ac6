"""SIGKILL under load, many times: every answer that was received has its event, once, and the book is right."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter

import pytest

from tests.fixtures.serving import Installation
from tests.fixtures.upstream import Upstream

pytestmark = pytest.mark.slow
KILLS, CLIENTS = 12, 8
CHAT = {"model": "bench/m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def victim(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    upstream = Upstream()
    made = Installation(tmp_path_factory.mktemp("victim"), upstream)
    made.install()
    made.manage(
        "add_model", "bench/m", "--task", "chat", "--engine", "openai", "--source", upstream.url,
        "--price-input", "1.0", "--price-output", "2.0",
    )  # fmt: skip
    return made


def test_every_answer_that_was_received_is_billed_exactly_once(victim: Installation) -> None:
    received: dict[str, str] = {}  # request id → cost
    stop = threading.Event()
    dice = random.Random(7)

    def client() -> None:
        while not stop.is_set():
            try:
                status, _, headers = victim.call("/v1/chat/completions", CHAT)
            except (OSError, ValueError, json.JSONDecodeError):
                time.sleep(0.02)
                continue
            if status == 200:
                received[headers["x-request-id"]] = headers["x-mercato-cost"]

    for _ in range(KILLS):
        victim.start()
        stop.clear()
        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(dice.uniform(0.2, 0.8))
        victim.kill()
        stop.set()
        for thread in threads:
            thread.join()

    used = victim.used()
    events = Counter(event["request_id"] for event in used["events"])
    costs = {event["request_id"]: event["cost_nanos"] for event in used["events"]}
    assert len(received) > 20 * KILLS, "the drill put no load on the server"
    assert set(received) <= set(events), "an answer was received whose usage is lost"
    assert set(events.values()) == {1}, "a request was billed twice"
    assert all(costs[request] == 15_000 for request in received)
    # An answer that was on its way when the power went is billed too: at most one a client and kill.
    assert len(events) - len(received) <= KILLS * CLIENTS
    sweep = (
        "from datetime import timedelta; from django.utils import timezone; from billing.gate import leases; "
        "leases.sweep(timezone.now() + timedelta(minutes=10))"
    )
    victim.manage("shell", "-c", sweep)
    audit = json.loads(victim.manage("audit_ledger").splitlines()[-1])
    assert audit["differences"] == 0
    assert audit["totals_nanos"]["holds"] == 0
    assert audit["totals_nanos"]["revenue"] == used["total_nanos"] == sum(costs.values())
    victim.upstream.shutdown()
    victim.upstream.server_close()

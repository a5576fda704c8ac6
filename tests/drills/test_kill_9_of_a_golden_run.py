"""SIGKILL to the worker in the middle of a golden run: it goes on, and no example is billed twice."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any

import pytest

from tests.fixtures.oracle import Oracle
from tests.fixtures.serving import Installation
from tests.fixtures.working import Worker, until

pytestmark = pytest.mark.slow
EXAMPLES = [{"input": f"question {at}", "expected": f"answer {at}"} for at in range(1, 13)]
COST = 20_000  # nano-dollars: 10 tokens read at $1 a million, 5 written at $2


def test_a_run_goes_on_after_its_worker_was_killed_and_bills_each_example_once(
    installation: Installation, worker: Worker, oracle: Oracle
) -> None:
    installation.manage(
        "add_model", "bench/oracle", "--task", "chat", "--engine", "openai", "--source", oracle.url,
        "--price-input", "1", "--price-output", "2",
    )  # fmt: skip
    oracle.knows = {one["input"]: one["expected"] for one in EXAMPLES}
    oracle.ration = threading.Semaphore(0)
    status, made, _ = installation.call("/v1/golden_sets", {"name": "q", "task": "chat", "examples": EXAMPLES})
    assert status == 201, made
    runs = f"/v1/golden_sets/{made['id']}/runs"
    status, run, _ = installation.call(runs, {"models": ["bench/oracle"], "max_cost": "1"})
    assert status == 201, run

    def now() -> Any:
        return installation.call(f"{runs}/{run['id']}")[1]

    oracle.ration.release(5)
    until(lambda: now()["answers"]["done"] == 5)
    until(lambda: len(oracle.asked) == 9, 10)  # four more wait for their answer
    worker.kill()
    oracle.ration.release(1_000)
    worker.start()
    ended = until(lambda: (found := now())["status"] not in ("queued", "running") and found, 90)
    assert (ended["status"], ended["answers"]) == ("completed", {"total": 12, "done": 12})
    assert ended["results"]["models"][0]["figures"]["exact_match"] == [1.0, 1.0, 1.0]
    events = [one for one in installation.used()["events"] if one["model"] == "bench/oracle" and one["cost_nanos"]]
    assert [one["cost_nanos"] for one in events] == [COST] * 12
    assert ended["cost"] == "0.00024"
    assert max(Counter(oracle.asked).values()) == 2, "what was under way is asked again"
    assert json.loads(installation.manage("audit_ledger").splitlines()[-1])["differences"] == 0

"""The same behaviour on PostgreSQL and Redis as on SQLite and the data folder: the rooms' tests run again there."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.house.tree import ROOT

API, BILLING = "tests/inference/api", "tests/billing"
# Of inference what asks the database or Redis: engines know neither, and how fields are read does not depend on them.
ROOMS = {
    "portal": ["tests/portal"],
    # The stand-in for Stripe has a file of its own, and pages that only show ask nothing that others do not.
    "billing: usage and budgets": [
        f"{BILLING}/gate", f"{BILLING}/ledger", f"{BILLING}/metering", f"{BILLING}/prices", f"{BILLING}/plans",
        f"{BILLING}/statements", f"{BILLING}/receipts", f"{BILLING}/test_nonsense_is_refused_at_every_address.py",
    ],
    "billing: payments": [f"{BILLING}/stripe", f"{BILLING}/earnings", f"{BILLING}/credit", f"{BILLING}/objectives"],
    "marketplace": ["tests/marketplace"],
    "inference": [
        "tests/inference/later", "tests/inference/routing", "tests/inference/golden", f"{API}/test_protocols_answer.py",
        f"{API}/test_repetitions_get_the_same_answer.py", f"{API}/test_keys_and_replicas_keep_their_limits.py",
        f"{API}/test_what_callers_may_wish.py", f"{API}/test_lists_come_in_pages.py",
    ],
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("room", ROOMS)
def test_a_room_behaves_the_same_on_postgresql_and_redis(room: str, postgres_url: str, redis_url: str) -> None:
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *ROOMS[room],
            "-q",
            "-m",
            "not slow",
            "--durations=0",
            "--reuse-db",
            "-p",
            "no:cacheprovider",
        ],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": postgres_url, "REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed
    assert int(passed[1]) > 5
    assert "skipped" not in run.stdout.splitlines()[-1]

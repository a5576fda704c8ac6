"""The same behaviour on PostgreSQL and Redis as on SQLite and the data folder: the rooms' tests run again there."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.house.tree import ROOT


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("room", ["portal", "billing", "marketplace", "inference"])
def test_a_room_behaves_the_same_on_postgresql_and_redis(room: str, postgres_url: str, redis_url: str) -> None:
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            f"tests/{room}",
            "-q",
            "-m",
            "not slow",
            "--ignore=tests/inference/engines",  # they know no database
            "--durations=0",
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

"""`manage.py stripe_smoke` without a key: against a sandbox that it starts itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("STRIPE_", "DATABASE_"))}


@pytest.mark.slow
def test_it_goes_all_the_way_and_says_each_step(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "stripe_smoke"], cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**CLEAN, "MERCATO_DATA_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "sandbox" in lines[0]
    assert lines[-1] == "ok"
    for step in ("customer", "meter", "subscription", "usage", "top-up", "refund", "ended", "ledger", "deleted"):
        assert step in done.stdout


def test_a_live_key_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "stripe_smoke"], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env={**CLEAN, "MERCATO_DATA_DIR": str(tmp_path), "STRIPE_API_KEY": "sk_live_x", "STRIPE_WEBHOOK_SECRET": "whsec_x"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "live key" in done.stderr

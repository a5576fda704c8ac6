"""SIGKILL to the worker in the middle of a search: each run is trained and billed once, and the best one wins."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.drills.test_training_goes_on_after_kill_9 import SILENT, SWEEP, coins, wait
from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.working import Worker

pytestmark = pytest.mark.slow
ASK = f"""
from marketplace.training import charges, datasets, searching, seeds
from portal.accounts.models import User
seeds.seed_price()
owned = User.objects.get(email='{EMAIL}').personal_workspace
data = open(r'PATH', 'rb').read()
table = datasets.keep(owned, 'coins.csv', len(data), [data])
datasets.examine(table)
asked = {{'target': 'side', 'task': 'tabular-classification', 'leave_out': [], 'folds': 0}}
grid = {{'epochs': [6], 'units': [4], 'learning_rate': [0.000001, 0.01, 0.02]}}
print(searching.begin(table, 'dense', grid, asked, 300, charges.terms(owned.pk)).pk)
"""
LOOK = """
import json
from django.conf import settings
from billing.metering.models import UsageEvent
from marketplace.training.models import Search
search = Search.objects.get(pk='SEARCH')
runs = [{'id': run.pk, 'state': run.state, 'attempts': run.attempts, 'cost': run.cost_nanos, 'used_ms': run.used_ms,
    'epoch': run.curve[-1]['epoch'] if run.curve else 0, 'purged': run.purged_at is not None, 'error': run.error,
    'there': (settings.MODELS_DIR / '.trained' / run.pk).exists(),
    'events': [event.cost_nanos for event in UsageEvent.objects.of_operations(run.pk)],
    'validation': (run.outcome or {}).get('validation', {}).get('accuracy')}
    for run in search.runs.order_by('created_at')]
print(json.dumps({'winner': search.winner_id, 'ended': search.ended_at is not None, 'runs': runs}))
"""


def look(installation: Installation, search_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        installation.manage("shell", "-v0", "-c", LOOK.replace("SEARCH", search_id)).splitlines()[-1]
    )
    return found


def running(seen: dict[str, Any]) -> dict[str, Any] | None:
    """The run that is being trained, once it has ended an epoch."""
    return next((run for run in seen["runs"] if run["state"] == "running" and run["epoch"]), None)


def billed(seen: dict[str, Any]) -> dict[str, Any] | None:
    """All of it, once each run has a usage event."""
    return seen if all(run["events"] for run in seen["runs"]) else None


def test_a_search_goes_on_and_every_run_is_billed_once(
    installation: Installation, worker: Worker, tmp_path: Path
) -> None:
    ask = ASK.replace("PATH", str(coins(tmp_path)))
    search_id = installation.manage("shell", "-v0", "-c", ask).splitlines()[-1]
    struck = wait(lambda: running(look(installation, search_id)), every=0.2)
    worker.kill()
    time.sleep(1)  # its child ends with it
    before = look(installation, search_id)
    assert not before["ended"]
    for run in before["runs"]:
        if run["state"] == "running":
            installation.manage("shell", "-v0", "-c", SILENT.replace("RUN", run["id"]))
    worker.start()
    done = wait(lambda: (seen := look(installation, search_id))["ended"] and seen, every=2)
    assert [run["state"] for run in done["runs"]] == ["succeeded"] * 3, done
    assert [run["attempts"] for run in done["runs"] if run["id"] == struck["id"]] in ([1], [2])
    assert max(run["attempts"] for run in done["runs"]) == 2
    best = max(done["runs"], key=lambda run: run["validation"])
    winner = next(run for run in done["runs"] if run["id"] == done["winner"])
    assert winner["validation"] == best["validation"]
    for run in done["runs"]:
        assert (run["there"], run["purged"]) == (run is winner, run is not winner)
    bill = wait(lambda: billed(look(installation, search_id)), every=2)
    assert [run["events"] for run in bill["runs"]] == [[run["used_ms"] * 200] for run in bill["runs"]]
    assert sum(run["cost"] for run in bill["runs"]) <= 300 * 200_000
    worker.kill()
    installation.manage("shell", "-c", SWEEP)
    worker.start()
    assert json.loads(installation.manage("audit_ledger").splitlines()[-1])["differences"] == 0

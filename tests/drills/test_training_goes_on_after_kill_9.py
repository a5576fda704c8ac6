"""SIGKILL to the worker while it trains on a workspace's table or its texts: the run goes on from its checkpoint, and is billed once."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.working import Worker

pytestmark = pytest.mark.slow
AT_FIRST = 3  # epochs before the kill
TRAINED_S = 240
ASK = f"""
from marketplace.training import charges, datasets, runs, seeds
from portal.accounts.models import User
seeds.seed_price()
owned = User.objects.get(email='{EMAIL}').personal_workspace
data = open(r'PATH', 'rb').read()
table = datasets.keep(owned, 'coins.csv', len(data), [data])
datasets.examine(table)
print(runs.queue_table(table, 'RECIPE', PARAMS, ASKED, 600, charges.terms(owned.pk)).pk)
"""
LOOK = """
import json
from billing.metering.models import UsageEvent
from marketplace.training.models import Run
run = Run.objects.get(pk='RUN')
events = [[event.cost_nanos, event.units] for event in UsageEvent.objects.of_operations(run.pk)]
print(json.dumps({'state': run.state, 'attempts': run.attempts, 'curve': [point['epoch'] for point in run.curve],
    'log': [line[2] for line in run.log if line[1] == 'training'], 'cost': run.cost_nanos, 'used_ms': run.used_ms,
    'error': run.error, 'events': events}))
"""
SILENT = "from marketplace.training.models import Run; Run.objects.filter(pk='RUN').update(leased_until='2026-01-01T00:00:00Z')"
SWEEP = (
    "from datetime import timedelta; from django.utils import timezone; from billing.gate import leases; "
    "leases.sweep(timezone.now() + timedelta(minutes=10))"
)


def coins(folder: Path) -> Path:
    """A table with little to be learnt, so that it takes some epochs."""
    dice = random.Random(3)
    lines = ["weight,metal,side,note"]
    for _ in range(1_500):
        weight = dice.gauss(0, 1)
        side = "head" if weight + dice.gauss(0, 1.5) > 0 else "tail"
        note = (
            f"{dice.choice(['fell', 'lay', 'spun'])} {'up' if weight > 0 else 'down'} {dice.choice(['here', 'there'])}"
        )
        lines.append(f"{weight:.3f},{dice.choice(['gold', 'zinc', 'iron'])},{side},{note}")
    path = folder / "coins.csv"
    path.write_text("\n".join(lines))
    return path


def look(installation: Installation, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        installation.manage("shell", "-v0", "-c", LOOK.replace("RUN", run_id)).splitlines()[-1]
    )
    return found


def epoch_kept(checkpoint: Path) -> int:
    """The last epoch in the checkpoint; 0 without one."""
    if not checkpoint.exists():
        return 0
    with np.load(checkpoint) as kept:
        return int(json.loads(str(kept["told"]))["epoch"])


def wait(condition: Any, seconds: float = TRAINED_S, every: float = 0.05) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(every)
    raise AssertionError("it did not happen")


TABLE = {"target": "side", "task": "tabular-classification", "leave_out": ["note"], "folds": 0}
TEXTS = {"target": "side", "task": "text-classification", "text": "note", "leave_out": [], "folds": 0}
DENSE = {"epochs": 40, "dropout": 0.5}
GRU = {"epochs": 8, "units": 8, "width": 8, "dropout": 0.5}


@pytest.mark.parametrize(
    ("recipe", "params", "asked"), [("dense", DENSE, TABLE), ("gru", GRU, TEXTS)], ids=["table", "texts"]
)
def test_a_run_goes_on_from_its_last_epoch_and_is_billed_once(
    installation: Installation,
    worker: Worker,
    tmp_path: Path,
    recipe: str,
    params: dict[str, Any],
    asked: dict[str, Any],
) -> None:
    ask = ASK.replace("PATH", str(coins(tmp_path))).replace("RECIPE", recipe)
    ask = ask.replace("PARAMS", repr(params)).replace("ASKED", repr(asked))
    run_id = installation.manage("shell", "-v0", "-c", ask).splitlines()[-1]
    checkpoint = installation.data_dir / "models" / ".building" / f"{run_id}-checkpoints" / "course.npz"
    wait(lambda: epoch_kept(checkpoint) >= AT_FIRST)
    worker.kill()
    time.sleep(1)  # its child ends with it
    kept = epoch_kept(checkpoint)
    before = look(installation, run_id)
    assert before["state"] == "running"
    assert before["events"] == []
    installation.manage("shell", "-v0", "-c", SILENT.replace("RUN", run_id))
    worker.start()
    done = wait(lambda: (seen := look(installation, run_id))["state"] == "succeeded" and seen, every=2)
    assert done["attempts"] == 2
    second = done["log"][len(before["log"]) :]
    assert second[0] == kept + 1 > AT_FIRST
    assert done["curve"] == list(range(1, done["curve"][-1] + 1))
    bill = wait(lambda: (seen := look(installation, run_id))["events"] and seen, every=2)
    assert bill["events"] == [[bill["cost"], {"millisecond": bill["used_ms"]}]]
    assert bill["cost"] == bill["used_ms"] * 200
    assert not checkpoint.exists()
    worker.kill()
    installation.manage("shell", "-c", SWEEP)
    worker.start()
    assert len(look(installation, run_id)["events"]) == 1
    assert json.loads(installation.manage("audit_ledger").splitlines()[-1])["differences"] == 0

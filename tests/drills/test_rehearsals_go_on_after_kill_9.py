"""SIGKILL to the worker while it rehearses a publisher's model: another begins anew, and the version that comes answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.hostile import NEEDS_WALLS
from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.submissions import TOLD
from tests.fixtures.working import Worker

pytestmark = [pytest.mark.slow, NEEDS_WALLS]
REHEARSED_S = 300
SEND = f"""
import json
from marketplace.publishing import submitting
from portal.accounts.models import User
owned = User.objects.get(email='{EMAIL}').personal_workspace
data = open(r'PATH', 'rb').read()
print(submitting.keep(owned, json.loads(r'''{json.dumps(TOLD | {"name": "rehearsed"})}'''), 'doubler.zip', len(data), [data]).pk)
"""
LOOK = """
import json
from marketplace.models import Submission
one = Submission.objects.get()
print(json.dumps([one.state, one.attempts, dict(one.evidence.values_list('check_name', 'status'))]))
"""
SILENT = "from marketplace.models import Submission; Submission.objects.update(leased_until='2026-01-01T00:00:00Z')"
PUBLISH = """
from marketplace.models import Submission
from marketplace.publishing import publishing
one = Submission.objects.get()
print([publishing.publish(one, publishing.Wish('workspace', None)).model.slug for _ in range(2)][-1])
"""


def look(installation: Installation) -> tuple[str, int, dict[str, str]]:
    state, attempts, found = json.loads(installation.manage("shell", "-v0", "-c", LOOK).splitlines()[-1])
    return state, attempts, found


def wait(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + REHEARSED_S
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def test_a_rehearsal_begins_anew_when_its_worker_is_lost_and_its_version_answers(
    installation: Installation, worker: Worker, doubler: Path
) -> None:
    submission = installation.manage("shell", "-v0", "-c", SEND.replace("PATH", str(doubler))).splitlines()[-1]
    building = installation.data_dir / "models" / ".building"
    wait(lambda: list(building.glob(f"{submission}-1/**/saved_model.pb")))  # unpacked: it is being loaded now
    worker.kill()
    state, attempts, _ = look(installation)
    assert (state in ("inspecting", "rehearsing"), attempts) == (True, 1)
    installation.manage("shell", "-v0", "-c", SILENT)
    worker.start()
    state, attempts, found = wait(lambda: (seen := look(installation))[0] not in ("inspecting", "rehearsing") and seen)
    assert (state, attempts) == ("passed", 2)
    assert set(found.values()) <= {"passed", "warned"}
    assert not list(building.glob(f"{submission}*")), "nothing is left of the first attempt"
    slug = installation.manage("shell", "-v0", "-c", PUBLISH).splitlines()[-1]
    status, answer, _ = installation.call(f"/v1/models/{slug}/predictions", {"input": {"inputs": {"x": [[1, 2, 3]]}}})
    assert status == 200, answer
    assert answer["output"] == {"outputs": {"y": [[2, 4, 6]]}}

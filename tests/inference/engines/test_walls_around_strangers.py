"""What runs behind the walls reads the model and nothing else, writes nothing, reaches nobody; real attacks try it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from inference.engines.runner import process
from inference.engines.runner.process import Process
from tests.fixtures.hostile import NEEDS_WALLS, SECRET
from tests.house.tree import ROOT

pytestmark = NEEDS_WALLS


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, harmless: Path) -> dict[str, str]:
    """What came of each attack. The secret is open to everybody but for the walls."""
    room = tmp_path_factory.mktemp("portal")
    (room / "mercato.sqlite3").write_text(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(room / "socket"))
        unix.listen()
        told = {
            "secret": str(room / "mercato.sqlite3"), "settings": str(ROOT / "portal" / "settings.py"),
            "folder": str(harmless), "parent": str(os.getpid()), "port": str(server.getsockname()[1]),
            "unix": str(room / "socket"),
        }  # fmt: skip
        script = Path(__file__).with_name("attacks.py")
        ended = subprocess.run(
            [sys.executable, "-P", str(script), str(harmless), json.dumps(told)],
            env=process._ENVIRONMENT, cwd="/", capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert ended.returncode == -6, ended.stderr  # it may still abort: libraries do
    outcome: dict[str, str] = json.loads(ended.stdout)
    return outcome


def test_every_attack_is_refused(found: dict[str, str]) -> None:
    assert {name for name, what in found.items() if what == "done"} == set()
    assert list(found.values()).count("refused") == 31
    assert not Path("/tmp/evil-of-a-stranger").exists()


def test_what_a_model_needs_works(found: dict[str, str]) -> None:
    assert int(found["read the model"]) > 0
    assert found["thread"] == "runs"


def test_memory_is_bounded(found: dict[str, str]) -> None:
    assert found["memory"] == "bounded"


def test_the_environment_holds_no_secrets(
    found: dict[str, str], monkeypatch: pytest.MonkeyPatch, harmless: Path
) -> None:
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.setenv("STRIPE_API_KEY", SECRET)
    started = Process(harmless)
    try:
        environment = Path(f"/proc/{started.pid}/environ").read_bytes()
        assert SECRET.encode() not in environment
        assert b"SECRET_KEY" not in environment
    finally:
        started.end()
    assert "SECRET_KEY" not in found["environment"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may leave its network at once")
def test_a_process_of_root_has_a_network_of_its_own(found: dict[str, str]) -> None:
    assert json.loads(found["walls"])["own_network"] is True


def test_the_process_knows_no_django(harmless: Path) -> None:
    program = (
        "import sys; from inference.engines.runner import child, process, working; "
        f"worker = working.Worker({str(harmless)!r}); "
        f"told = worker.begin({{'do': 'describe', 'task': 'tensor'}}); assert 'spec' in told, told; "
        "print([name for name in sys.modules if name.partition('.')[0] in "
        "('django', 'rest_framework', 'celery', 'billing', 'stripe')])"
    )
    told = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**process._ENVIRONMENT, "HOME": os.environ.get("HOME", "/")}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.splitlines()[-1] == "[]"

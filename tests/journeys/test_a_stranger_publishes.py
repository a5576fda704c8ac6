"""What a stranger made: a hostile model never gets in, a good one answers from its own process, and may be killed there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.fixtures.hostile import NEEDS_WALLS, SECRET, export
from tests.fixtures.serving import Installation

pytestmark = [pytest.mark.slow, NEEDS_WALLS]
ADD = ("--task", "tensor", "--engine", "runner", "--price-request", "0.0001")
INPUT = {"input": {"inputs": {"x": [[1, 2, 3]]}}}


def runners(server: Installation) -> list[int]:
    """The processes that the server has for versions of `stranger/model`."""
    models, found = str(server.data_dir / "models" / "stranger" / "model").encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if b"inference.engines.runner.child" in command and models in command:
            found.append(int(folder.name))
    return found


def test_a_hostile_model_is_refused_and_leaves_nothing(installation: Installation, tmp_path: Path) -> None:
    from inference.engines.tensorflow.library import tensorflow

    tf = tensorflow()
    (tmp_path / "secret").write_text(SECRET)

    def reads(x: object) -> object:
        return x + tf.cast(tf.strings.length(tf.io.read_file(str(tmp_path / "secret"))), tf.float32)

    export(tmp_path / "evil", reads)
    archive = shutil.make_archive(str(tmp_path / "evil-model"), "gztar", tmp_path, "evil")
    told = installation.manage("add_model", "stranger/evil", *ADD, "--source", archive, fails=2)
    assert "ReadFile" in told
    assert SECRET not in told
    assert installation.call("/v1/models/stranger/evil/predictions", INPUT)[0] == 404
    models = installation.data_dir / "models"
    assert not list((models / ".building").iterdir())
    assert not [path for path in (models / "stranger" / "evil").rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def published(installation: Installation, harmless: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The server with `stranger/model`, which a stranger sent as an archive."""
    archive = shutil.make_archive(str(tmp_path_factory.mktemp("sent") / "good-model"), "zip", harmless)
    installation.manage("add_model", "stranger/model", *ADD, "--source", archive)
    return installation


def test_a_good_model_answers_from_its_own_process_and_may_be_killed_there(published: Installation) -> None:
    installation = published
    before = installation.used()["total_nanos"]
    status, answer, headers = installation.call("/v1/models/stranger/model/predictions", INPUT)
    assert status == 200, answer
    assert answer["output"] == {"outputs": {"y": [[2, 4, 6]]}}
    assert headers["x-mercato-cost"].startswith("0.0001")
    (runner,) = runners(installation)
    environment = Path(f"/proc/{runner}/environ").read_bytes()
    assert str(installation.data_dir).encode() not in environment

    answers: list[int] = []

    def client() -> None:
        for _ in range(100):
            answers.append(installation.call("/v1/models/stranger/model/predictions", INPUT)[0])

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(answers) < 40:
        time.sleep(0.01)
    os.kill(runner, signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 502, 503}
    assert answers.count(200) >= 40
    assert installation.call("/v1/models/bench/doubler/predictions", INPUT)[0] == 200  # the portal never went
    status, answer, _ = installation.call("/v1/models/stranger/model/predictions", INPUT)
    assert status == 200, answer
    assert runners(installation) != [runner]
    # Whoever got an answer paid for it, nobody else: those here, the first, the doubler's and the last.
    assert installation.used()["total_nanos"] - before == 100_000 * (answers.count(200) + 3)
    assert json.loads(installation.manage("audit_ledger").splitlines()[-1])["differences"] == 0


def test_its_process_ends_with_the_server(published: Installation) -> None:
    assert published.call("/v1/models/stranger/model/predictions", INPUT)[0] == 200
    assert runners(published)
    published.kill()
    ends = time.monotonic() + 10
    while runners(published) and time.monotonic() < ends:
        time.sleep(0.1)
    assert not runners(published)
    published.start()

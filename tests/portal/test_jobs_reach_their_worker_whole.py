"""Messages in folders, written and read by several processes at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kombu import Connection

import portal.celery  # noqa: F401 – gives the transport its name
from tests.house.tree import ROOT

SEND = """
import sys
import portal.celery
from kombu import Connection
with Connection("folders://", transport_options={options!r}) as connection:
    queue = connection.SimpleQueue("work")
    for number in range(200):
        queue.put({{"number": number, "padding": "x" * 5000}})
"""


def test_no_message_is_read_half_written(tmp_path: Path) -> None:
    options = {"data_folder_in": str(tmp_path), "data_folder_out": str(tmp_path), "control_folder": str(tmp_path / "c")}
    with Connection("folders://", transport_options=options) as connection:
        queue = connection.SimpleQueue("work")
        writers = [subprocess.Popen([sys.executable, "-c", SEND.format(options=options)], cwd=ROOT) for _ in range(2)]
        got = []
        for _ in range(400):
            message = queue.get(timeout=20)
            got.append(message.payload["number"])
            message.ack()
        assert [w.wait(10) for w in writers] == [0, 0]
    assert sorted(got) == sorted([*range(200), *range(200)])

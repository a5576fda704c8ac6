"""Models on a real local Ray cluster, through the router; and in process when the cluster is gone.

Runs where Ray is installed: `make test-ray`.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fixtures.servers import free_port
from tests.fixtures.serving import Installation
from tests.fixtures.working import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: make test-ray"),
]
INFER = {"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]}]}
RAY = [sys.executable, "-m", "ray.scripts.scripts"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A head node on this machine."""
    address = f"127.0.0.1:{free_port()}"
    # One token for the cluster and for who calls it; Ray would else look for one in the home folder.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    env = dict(os.environ)
    place = Path("/tmp") / f"ray-{os.getpid()}"  # its sockets' names may not be long
    subprocess.run(
        [*RAY, "start", "--head", "--port", address.rpartition(":")[2], "--num-cpus", "4", "--temp-dir", str(place),
         "--include-dashboard", "false", "--disable-usage-stats"],
        check=True, capture_output=True, env=env, timeout=120,
    )  # fmt: skip
    yield address
    subprocess.run([*RAY, "stop", "--force"], capture_output=True, env=env, timeout=60)


def replicas_of(installation: Installation, used: int) -> set[str]:
    return {event["replica"] for event in installation.used()["events"][used:]}


def test_a_deployed_model_answers_from_the_cluster_and_here_when_it_is_gone(
    installation: Installation, cluster: str
) -> None:
    port = free_port()
    arguments = ("deploy_ray", "bench/doubler", "--address", cluster, "--port", str(port), "--most", "2")
    told = json.loads(installation.manage(*arguments).splitlines()[-1])
    assert told == {"url": f"http://127.0.0.1:{port}", "models": ["bench/doubler"]}
    assert json.loads(installation.manage(*arguments).splitlines()[-1]) == told, "and again"
    listed = json.loads(installation.manage("replica", "list", "bench/doubler"))
    assert [row["state"] for row in listed] == ["active", "active"]
    on_ray = next(row["id"] for row in listed if row["target"].startswith("http"))
    used = len(installation.used()["events"])

    def from_ray() -> bool:
        for _ in range(10):
            status, answer, _ = installation.call("/v2/models/bench/doubler/infer", INFER)
            assert status == 200, answer
            assert {o["name"]: o["data"] for o in answer["outputs"]}["sum"] == [6, 15]
        return on_ray in replicas_of(installation, used)

    until(from_ray, 60)
    subprocess.run([*RAY, "stop", "--force"], capture_output=True, timeout=60)
    statuses = {installation.call("/v2/models/bench/doubler/infer", INFER)[0] for _ in range(30)}
    assert statuses == {200}
    installation.manage("replica", "remove", "bench/doubler", told["url"])

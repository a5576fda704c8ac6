"""A Ray cluster that ends in the middle of requests."""

from __future__ import annotations

import threading
import time
from importlib.util import find_spec

import pytest

from tests.fixtures.ray import Cluster, deploy, replicas_of, served_by
from tests.fixtures.serving import Installation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: make test-ray"),
]
INFER = {"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]}]}


def test_when_the_cluster_goes_no_request_fails(near: Installation, cluster: Cluster) -> None:
    deploy(near, cluster, "near/doubler")
    time.sleep(1.1)  # the web process reads its places anew every second
    on_ray = next(i for i, target in replicas_of(near, "near/doubler").items() if target.startswith("http"))
    statuses: list[int] = []
    gone = threading.Event()

    def keep_calling() -> None:
        while not gone.is_set():
            statuses.append(near.call("/v2/models/near/doubler/infer", INFER)[0])

    threads = [threading.Thread(target=keep_calling) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    cluster.stop()
    time.sleep(1)
    gone.set()
    for thread in threads:
        thread.join()
    assert len(statuses) > 100
    assert set(statuses) == {200}
    # A process that knows nothing of the places tries the cluster, too.
    near.stop()
    near.start()
    assert on_ray not in served_by(near, "near/doubler", 50)
    _, told, _ = near.call("/v1/route", {"model": "near/doubler", "input": {"inputs": {"x": [[1, 2, 3]]}}})
    [place] = [one for one in told["replicas"] if one["id"] == on_ray]
    assert "ejected" in place["reason"], told

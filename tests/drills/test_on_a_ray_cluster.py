"""Models on a real local Ray cluster, through the router; and in process when the cluster is gone.

Runs where Ray is installed: `make test-ray`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from tests.fixtures.ray import KEY, Cluster, add, deploy, deploying, replicas_of, served_by
from tests.fixtures.serving import Installation
from tests.fixtures.working import until
from tests.house.tree import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: make test-ray"),
]
INFER = {"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]}]}


@pytest.fixture(scope="module")
def deployed(near: Installation, cluster: Cluster) -> None:
    """`near/doubler` is on the cluster."""
    deploy(near, cluster, "near/doubler")


def asked(url: str, body: Any = None, key: str = KEY) -> tuple[int, Any]:
    """Status and JSON of the cluster itself."""
    request = urllib.request.Request(
        url, None if body is None else json.dumps(body).encode(), {"Authorization": f"Bearer {key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_deployed_model_answers_from_the_cluster_and_where_it_may_also_from_here(
    near: Installation, cluster: Cluster
) -> None:
    assert deploy(near, cluster, "near/doubler", "--alone") == {"url": cluster.url, "models": ["near/doubler"]}
    [(on_ray, target)] = replicas_of(near, "near/doubler").items()
    assert target == f"{cluster.url}/v2/models/near/doubler/versions/1"
    time.sleep(1.1)  # the web process reads its places anew every second
    assert served_by(near, "near/doubler", 200) == {on_ray}
    deploy(near, cluster, "near/doubler")
    places = replicas_of(near, "near/doubler")
    assert len(places) == 2
    time.sleep(1.1)
    assert served_by(near, "near/doubler", 50) - {on_ray} == set(places) - {on_ray}


def test_deploying_again_changes_nothing_and_another_model_leaves_the_first_alone(
    near: Installation, cluster: Cluster
) -> None:
    deploy(near, cluster, "near/doubler")
    before = replicas_of(near, "near/doubler")
    again = deploying(near, cluster, "near/doubler")
    assert json.loads(again.stdout)["models"] == ["near/doubler"]
    assert "deploying" not in again.stderr
    assert replicas_of(near, "near/doubler") == before
    both = deploying(near, cluster, "near/doubler", "near/third")
    assert json.loads(both.stdout)["models"] == ["near/doubler", "near/third"]
    assert [line for line in both.stderr.splitlines() if "deploying" in line] == ["near/third: deploying version 1 …"]
    for name in ("doubler", "third"):
        status, answer = asked(f"{cluster.url}/v2/models/near/{name}/infer", INFER)
        assert status == 200, answer
        assert {o["name"]: o["data"] for o in answer["outputs"]}["sum"] == [6, 15]


@pytest.mark.usefixtures("deployed")
def test_the_cluster_speaks_the_protocol_to_others_clients(cluster: Cluster) -> None:
    client = triton.InferenceServerClient(f"127.0.0.1:{cluster.serve_port}")
    headers = {"Authorization": f"Bearer {KEY}"}
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("near/doubler", headers=headers)
    assert client.get_model_metadata("near/doubler", headers=headers)["inputs"] == [
        {"name": "x", "datatype": "FP32", "shape": [-1, 3]}
    ]
    rows = np.random.default_rng(7).normal(size=(5, 3)).astype(np.float32)
    for binary in (True, False):
        given = triton.InferInput("x", [5, 3], "FP32")
        given.set_data_from_numpy(rows, binary_data=binary)
        wanted = [triton.InferRequestedOutput("doubled", binary_data=binary)]
        answer = client.infer("near/doubler", [given], outputs=wanted, headers=dict(headers), request_id="mine")
        np.testing.assert_array_equal(answer.as_numpy("doubled"), rows * 2)
        assert answer.get_response()["id"] == "mine"
        assert [output["name"] for output in answer.get_response()["outputs"]] == ["doubled"]
    client.close()


@pytest.mark.parametrize(
    ("path", "body", "key", "status", "says"),
    [
        ("near/doubler/infer", INFER, "another", 401, "key"),
        ("near/doubler", None, "", 401, "key"),
        ("near/doubler/versions/2/infer", INFER, KEY, 404, "Version 1"),
        ("near/nothing", None, KEY, 404, "no such model"),
        ("near/doubler/infer", {"inputs": []}, KEY, 400, "missing input x"),
        ("near/doubler/infer", {"inputs": [{**INFER["inputs"][0], "shape": [3, 2]}]}, KEY, 400, "shape [-1, 3]"),
        ("near/doubler/infer", {"inputs": [{**INFER["inputs"][0], "datatype": "INT32"}]}, KEY, 400, "FP32"),
        ("near/doubler/infer", {"inputs": [{**INFER["inputs"][0], "data": [1]}]}, KEY, 400, "no inference request"),
        ("near/doubler/infer", [1], KEY, 400, "no inference request"),
    ],
)
@pytest.mark.usefixtures("deployed")
def test_what_the_cluster_refuses_it_explains(
    cluster: Cluster, path: str, body: Any, key: str, status: int, says: str
) -> None:
    got, answer = asked(f"{cluster.url}/v2/models/{path}", body, key)
    assert got == status, answer
    assert says in answer["error"]


def test_a_new_version_takes_the_place_and_the_old_one_is_answered_by_itself(
    near: Installation, cluster: Cluster, saved_model: Path
) -> None:
    deploy(near, cluster, "near/second")
    add(near, "second", saved_model)
    deploy(near, cluster, "near/second")
    assert f"{cluster.url}/v2/models/near/second/versions/2" in replicas_of(near, "near/second@2").values()
    assert not any(target.startswith("http") for target in replicas_of(near, "near/second@1").values())
    assert asked(f"{cluster.url}/v2/models/near/second/versions/1/infer", INFER)[0] == 404
    status, answer, _ = near.call("/v2/models/near/second/versions/1/infer", INFER)
    assert (status, answer["model_version"]) == (200, "1")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("near/nothing",), 2, "There is no model"),
        (("near/doubler", "--address", "127.0.0.1:9"), 2, "No Ray cluster answers"),
        (("near/doubler", "--least", "3"), 2, "--least"),
        (("near/doubler", "--port", "9"), 1, "does not answer at"),
        (("near/lost", "--models-dir", "/nowhere"), 1, "is not a folder on this machine of the cluster"),
    ],
)
def test_what_cannot_be_deployed_is_said_so(
    near: Installation, cluster: Cluster, arguments: tuple[str, ...], code: int, says: str
) -> None:
    before = replicas_of(near, "near/doubler")
    done = deploying(near, cluster, *arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert replicas_of(near, "near/doubler") == before


def test_a_cluster_that_others_reach_is_not_left_without_a_key(near: Installation, cluster: Cluster) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "deploy_ray", "near/doubler", "--address", cluster.address, "--host", "192.0.2.1"],
        cwd=ROOT, env={**near.env, "RAY_SERVE_KEY": ""}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "RAY_SERVE_KEY" in done.stderr


def test_a_model_taken_off_the_cluster_is_answered_here(near: Installation, cluster: Cluster) -> None:
    deploy(near, cluster, "near/fourth")
    assert asked(f"{cluster.url}/v2/models/near/fourth")[0] == 200
    deploy(near, cluster, "near/fourth", "--remove")
    assert until(lambda: asked(f"{cluster.url}/v2/models/near/fourth")[0] == 404)
    time.sleep(1.1)
    assert len(served_by(near, "near/fourth", 20)) == 1


def test_the_config_for_other_machines_is_one_that_serve_takes(near: Installation, tmp_path: Path) -> None:
    from ray.serve.schema import ServeDeploySchema

    file = tmp_path / "serve.json"
    near.manage("deploy_ray", "--write", str(file), "--models-dir", "/models", "--port", "8200")
    config = ServeDeploySchema(**json.loads(file.read_text()))
    assert [one.name for one in config.applications][:2] == ["mercato", "near.doubler"]
    assert config.applications[1].args["folder"].startswith("/models/near/doubler/")
    assert KEY not in file.read_text()
    built = (
        "import json, sys; from ray.serve._private.api import call_user_app_builder_with_args_if_necessary as build\n"
    )
    built += "import mercato_serve as m; from ray.serve.deployment import Application\n"
    built += "for one in json.load(open(sys.argv[1]))['applications']:\n"
    built += "    app = build(getattr(m, one['import_path'].split(':')[1]), one['args']); assert isinstance(app, Application)"
    subprocess.run([sys.executable, "-c", built, str(file)], cwd=ROOT / "deploy" / "ray", check=True, timeout=60)

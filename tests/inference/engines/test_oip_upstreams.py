"""A server of the Open Inference Protocol as an upstream: another Mercato is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from inference.engines import tensors
from inference.engines.engine import ReplicaSpec, Result, Work
from inference.engines.oip import OipEngine
from inference.errors import Overloaded, UpstreamFailed, UpstreamRefused
from marketplace.errors import SourceInvalid
from marketplace.publishing import oip
from marketplace.tasks import registry
from marketplace.tasks.oip import DATATYPES, place_of
from marketplace.tasks.task import ModelSpec, Tensor
from portal.kit.errors import Problem
from tests.fixtures.servers import free_port
from tests.fixtures.serving import Installation
from tests.fixtures.upstream import Upstream

KEY = "KEY_OF_THE_OTHER_MERCATO"
NAMES = {numpy: datatype for datatype, numpy in DATATYPES.items()}
TENSOR = registry.get("tensor")
DTYPES = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
)
ECHO = """
import sys, tensorflow as tf
kinds = sys.argv[2].split(",") + ["string"]
class Echo(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.as_dtype(kind), "in_" + kind) for kind in kinds])
    def __call__(self, *given):
        return {"out_" + kind: tf.identity(one) for kind, one in zip(kinds, given)}
model = Echo()
tf.saved_model.save(model, sys.argv[1], signatures={"serving_default": model.__call__})
"""


@pytest.fixture(scope="module", autouse=True)
def key_of_the_other(installation: Installation) -> None:
    """Every engine here finds the key of the Mercato that it asks."""
    os.environ[KEY] = installation.key


@pytest.fixture(scope="module")
def echo(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """`bench/echo` gives a tensor of every datatype back as it came."""
    folder = tmp_path_factory.mktemp("echo") / "model"
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-c", ECHO, str(folder), ",".join(DTYPES)], check=True, env=quiet)
    installation.manage(
        "add_model", "bench/echo", "--task", "tensor", "--engine", "tensorflow", "--source", str(folder)
    )
    return oip.describe(installation.url, "bench/echo", KEY, TENSOR)


made: list[OipEngine] = []


@pytest.fixture(autouse=True)
def _connections_are_closed() -> Iterator[None]:
    yield
    while made:
        made.pop().unload()


def engine_for(url: str, model: str, spec: ModelSpec, **options: Any) -> OipEngine:
    options = {"upstream_model": model, "upstream_key_env": KEY, **options}
    made.append(OipEngine(ReplicaSpec("rep_1", "oip", url, model, TENSOR, spec, options)))
    return made[-1]


def doubler(url: str, **options: Any) -> OipEngine:
    inputs = (Tensor("x", "float32", (None, 3)),)
    outputs = (Tensor("doubled", "float32", (None, 3)), Tensor("sum", "float32", (None, 1)))
    return engine_for(url, "bench/doubler", ModelSpec(inputs, outputs), **options)


def one_of_each(rows: int) -> dict[str, Any]:
    """Tensors of every datatype, at the ends of their ranges."""
    given: dict[str, Any] = {}
    for name in DTYPES:
        dtype = np.dtype(name)
        ends: list[Any] = [True, False]
        if dtype.kind in "iu":
            ends = [np.iinfo(dtype).min, np.iinfo(dtype).max]
        elif dtype.kind == "f":
            ends = [np.finfo(dtype).max, np.finfo(dtype).tiny]
        given[f"in_{name}"] = np.asarray([ends] * rows, dtype)
    given["in_string"] = np.asarray([["", "grüße, 世界"]] * rows, object)
    return given


def test_text_and_numbers_of_every_type_can_be_had_as_json(installation: Installation, echo: ModelSpec) -> None:
    inputs = {name: array.tolist() for name, array in one_of_each(1).items()}
    inputs |= {f"in_{name}": [[1.5, 2]] for name in ("float16", "float32", "float64")}
    status, answer, _ = installation.call("/v1/models/bench/echo/predictions", {"input": {"inputs": inputs}})
    assert status == 200, answer
    assert answer["output"]["outputs"] == {name.replace("in_", "out_"): rows for name, rows in inputs.items()}


@pytest.mark.parametrize("binary", [True, False])
def test_every_datatype_comes_back_as_it_went(installation: Installation, echo: ModelSpec, binary: bool) -> None:
    engine = engine_for(installation.url, "bench/echo", echo)
    assert engine.speaks_binary(), "its server says so"
    engine._binary = binary
    given = one_of_each(3)
    outputs = engine.infer(Work(given, raw=True)).output
    assert len(outputs) == len(DTYPES) + 1
    for name, array in outputs.items():
        sent = given[name.replace("out_", "in_")]
        assert array.dtype == sent.dtype
        if array.dtype == object:  # bytes are text's own form on this wire
            array = np.vectorize(lambda text: text.decode() if isinstance(text, bytes) else text, otypes=[object])(
                array
            )
        np.testing.assert_array_equal(array, sent)


def test_the_body_is_the_one_that_tritons_own_client_sends(echo: ModelSpec) -> None:
    given = one_of_each(2)
    theirs = []
    for tensor in echo.inputs:
        theirs.append(triton.InferInput(tensor.name, list(given[tensor.name].shape), NAMES[tensor.dtype]))
        theirs[-1].set_data_from_numpy(given[tensor.name], binary_data=True)
    body, length = triton.InferenceServerClient.generate_request_body(theirs)
    ours, our_length = tensors.request({tensor.name: given[tensor.name] for tensor in echo.inputs}, binary=True)
    assert length is not None
    assert our_length is not None
    assert ours[our_length:] == body[length:]
    assert json.loads(ours[:our_length]) == json.loads(body[:length])


def test_requests_are_joined_where_the_version_says_so(installation: Installation) -> None:
    before = len(installation.used()["events"])
    engine, answers = doubler(installation.url, batch=16), {}

    def ask(number: int) -> None:
        rows = np.full((1 + number % 3, 3), number, np.float32)
        answers[number] = engine.infer(Work({"x": rows}, raw=True))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(48)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, answer in answers.items():
        assert isinstance(answer, Result)
        assert answer.units == {"request": 1, "row": 1 + number % 3}
        assert answer.output["sum"].tolist() == [[3.0 * number]] * (1 + number % 3)
    assert len(answers) == 48
    assert len(installation.used()["events"]) - before < 24


def test_a_server_that_was_started_again_is_asked_over_a_fresh_connection(installation: Installation) -> None:
    engine, work = doubler(installation.url), Work({"x": np.ones((1, 3), np.float32)}, raw=True)
    assert engine.infer(work).output["sum"].tolist() == [[3]]
    assert engine.alive()
    installation.stop()
    with pytest.raises(UpstreamFailed, match="cannot be reached"):
        engine.infer(work)
    assert not engine.alive()
    installation.start()
    assert engine.infer(work).output["sum"].tolist() == [[3]]
    assert engine.alive()


def test_a_joined_request_to_a_server_that_is_away_fails_at_once_for_all(tmp_path: Path) -> None:
    engine = doubler(f"http://127.0.0.1:{free_port()}", batch=8)
    with pytest.raises(UpstreamFailed):
        engine.infer(Work({"x": np.ones((1, 3), np.float32)}, raw=True))


@pytest.mark.parametrize(
    ("status", "problem"),
    [(429, Overloaded), (503, Overloaded), (500, UpstreamFailed), (401, UpstreamFailed), (400, UpstreamRefused)],
)
def test_its_errors_are_ours_by_their_status(installation: Installation, status: int, problem: type[Problem]) -> None:
    server = Upstream()
    try:
        engine = doubler(server.url)
        engine._binary = False
        server.behave[:] = [str(status)]
        with pytest.raises(problem) as raised:
            engine.infer(Work({"x": np.ones((1, 3), np.float32)}, raw=True))
        assert (f"upstream says {status}" in raised.value.message) == (status == 400)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "said",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"outputs":[{"name":"other","datatype":"FP32","shape":[1,1],"data":[1]}]}',
        b'{"outputs":[{"name":"sum","datatype":"FP32","shape":[2,1],"data":[1]}]}',
        b'{"outputs":[{"name":"sum","datatype":"FP32","shape":[1],"data":[1]}]}',
        b'{"outputs":[{"name":"sum","datatype":"BYTES","shape":[1,1],"data":["one"]}]}',
        b'{"outputs":[{"name":"sum","datatype":"BF16","shape":[1,1],"data":[1]}]}',
        b'{"outputs":[{"name":"sum","datatype":"FP32","shape":[1,1],"parameters":{"binary_data_size":4}}]}',
    ],
)
def test_an_answer_that_is_none_is_not_passed_on(said: bytes) -> None:
    spec = ModelSpec(outputs=(Tensor("sum", "float32", (None, 1)),))
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        tensors.fitted(spec, tensors.answer(said, None))


def test_an_input_that_it_refuses_is_refused_with_its_words(installation: Installation) -> None:
    wrong = ModelSpec((Tensor("y", "float32", (None, 3)),), (Tensor("sum", "float32", (None, 1)),))
    with pytest.raises(UpstreamRefused, match="inputs are x"):
        engine_for(installation.url, "bench/doubler", wrong).infer(Work({"y": np.ones((1, 3), np.float32)}, raw=True))


@pytest.mark.parametrize(
    ("model", "key", "task", "says"),
    [
        ("bench/nothing", KEY, "tensor", "--upstream-model"),
        ("bench/m", KEY, "tensor", "does not say its inputs"),
        ("bench/doubler", "NO_SUCH_VARIABLE", "tensor", "--upstream-key-env"),
        ("bench/doubler", KEY, "image-classification", "does not take images"),
        ("bench/doubler", KEY, "chat", "carries tensor, image-classification"),
    ],
)
def test_what_cannot_be_served_is_refused_at_import(
    installation: Installation, echo: ModelSpec, model: str, key: str, task: str, says: str
) -> None:
    with pytest.raises(SourceInvalid) as raised:
        oip.describe(installation.url, model, key, registry.get(task))
    assert says in raised.value.message


@pytest.mark.parametrize(
    ("target", "root", "path"),
    [
        ("http://h:8000", "http://h:8000", "/v2/models/a/b"),
        ("http://h:8000/v2/", "http://h:8000", "/v2/models/a/b"),
        ("https://h/kserve", "https://h/kserve", "/v2/models/a/b"),
        ("http://h:8000/v2/models/resnet/versions/2", "http://h:8000", "/v2/models/resnet/versions/2"),
    ],
)
def test_an_address_may_be_the_servers_or_the_models(target: str, root: str, path: str) -> None:
    assert place_of(target, "a/b") == (root, path)

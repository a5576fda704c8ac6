"""Tensors by tritonclient, as bytes and as JSON, by TensorFlow Serving's REST, and predictions as XML and as forms."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.fixtures.serving import Installation

MODEL = "bench/doubler"
TFS = f"/v1/models/{MODEL}"


@pytest.fixture
def client(installation: Installation) -> Any:
    made = triton.InferenceServerClient(installation.url.removeprefix("http://"))
    yield made
    made.close()


def auth(installation: Installation) -> dict[str, str]:
    return {"Authorization": f"Bearer {installation.key}"}


def test_tritons_client_finds_the_server_and_the_model(client: Any, installation: Installation) -> None:
    headers = auth(installation)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL, headers=headers)
    assert client.is_model_ready(MODEL, "1", headers=headers)
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata(MODEL, headers=headers)
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_tritons_client_infers(
    client: Any, installation: Installation, binary_in: bool, binary_out: bool, packed: str | None
) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    given = triton.InferInput("x", [2, 3], "FP32")
    given.set_data_from_numpy(x, binary_data=binary_in)
    wanted = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in ("doubled", "sum")]
    answer = client.infer(
        MODEL,
        [given],
        outputs=wanted,
        headers=auth(installation),
        request_id="mine",
        request_compression_algorithm=packed,
    )
    np.testing.assert_array_equal(answer.as_numpy("doubled"), x * 2)
    np.testing.assert_array_equal(answer.as_numpy("sum"), x.sum(1, keepdims=True))
    assert answer.get_response()["id"] == "mine"


def test_all_outputs_come_as_bytes_where_none_is_named(client: Any, installation: Installation) -> None:
    given = triton.InferInput("x", [1, 3], "FP32")
    given.set_data_from_numpy(np.ones((1, 3), np.float32))
    answer = client.infer(MODEL, [given], headers=auth(installation), model_version="1")
    assert answer.as_numpy("doubled").tolist() == [[2, 2, 2]]


def test_errors_reach_tritons_client_with_our_words(client: Any, installation: Installation) -> None:
    given = triton.InferInput("x", [1, 2], "FP32")
    given.set_data_from_numpy(np.ones((1, 2), np.float32))
    with pytest.raises(InferenceServerException, match="shape"):
        client.infer(MODEL, [given], headers=auth(installation))
    with pytest.raises(InferenceServerException, match="no model"):
        client.infer("bench/nothing", [given], headers=auth(installation))


@pytest.mark.parametrize(("header", "blob"), [("99999", b""), ("x", b""), (None, b"\x00" * 11), (None, b"\x00" * 40)])
def test_bytes_that_do_not_add_up_are_refused(installation: Installation, header: str | None, blob: bytes) -> None:
    said = json.dumps(
        {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "parameters": {"binary_data_size": 12}}]}
    ).encode()
    headers = {"Inference-Header-Content-Length": header or str(len(said))}
    status, answer, _ = installation.call(f"/v2/models/{MODEL}/infer", said + blob, **headers)
    assert status == 422, answer


def test_a_body_that_unpacks_to_too_much_is_refused(installation: Installation) -> None:
    bomb = gzip.compress(b" " * 50 * 1024**2)
    status, _, _ = installation.call(f"/v2/models/{MODEL}/infer", bomb, **{"Content-Encoding": "gzip"})
    assert status == 413


def test_tensorflow_servings_rows_and_columns_give_the_same_numbers_as_tensors(installation: Installation) -> None:
    rows = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    status, by_row, headers = installation.call(f"{TFS}:predict", {"instances": rows})
    assert status == 200, by_row
    assert headers["x-mercato-cost"] == "0.0001"
    assert by_row["predictions"] == [{"doubled": [2, 4, 6], "sum": [6]}, {"doubled": [8, 10, 12], "sum": [15]}]
    named = {"signature_name": "serving_default", "instances": [{"x": row} for row in rows]}
    assert installation.call(f"{TFS}/versions/1:predict", named)[1] == by_row
    _, by_column, _ = installation.call(f"{TFS}/labels/stable:predict", {"inputs": {"x": rows}})
    assert by_column["outputs"]["doubled"] == [row["doubled"] for row in by_row["predictions"]]
    tensors = {"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP32", "data": rows}]}
    _, oip, _ = installation.call(f"/v2/models/{MODEL}/infer", tensors)
    assert (
        np.ravel(by_column["outputs"]["doubled"]).tolist()
        == {output["name"]: output["data"] for output in oip["outputs"]}["doubled"]
    )


def test_tensorflow_serving_tells_state_and_signature(installation: Installation) -> None:
    for address in (f"{TFS}/versions/1", TFS):
        _, told, _ = installation.call(address)
        assert told["model_version_status"][0]["state"] == "AVAILABLE"
    assert installation.call(TFS)[1]["id"] == MODEL, "and OpenAI's object is still there"
    _, told, _ = installation.call(f"{TFS}/metadata")
    signature = told["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("predict", {}, 422),
        ("predict", {"instances": [[1, 2]]}, 422),
        ("predict", {"instances": [["a", "b", "c"]]}, 422),
        ("predict", {"instances": [[1, 2, 3]], "signature_name": "other"}, 422),
        ("classify", {"examples": [{"x": [1, 2, 3]}]}, 422),
        ("regress", {"examples": [{"x": [1, 2, 3]}]}, 422),
    ],
)
def test_tensorflow_servings_errors_have_its_shape(
    installation: Installation, verb: str, body: Any, status: int
) -> None:
    got, answer, _ = installation.call(f"{TFS}:{verb}", body)
    assert (got, isinstance(answer["error"], str)) == (status, True)


def raw(installation: Installation, body: bytes, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"{installation.url}/v1/models/bench/painter/predictions", body, {**auth(installation), **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_prediction_can_be_asked_and_answered_in_xml(installation: Installation) -> None:
    body = b"<prediction><input><prompt>1984</prompt><n>2</n></input></prediction>"
    status, answer = raw(installation, body, **{"Content-Type": "application/xml", "Accept": "application/xml"})
    assert status == 200, answer
    assert b"<status>succeeded</status>" in answer
    assert answer.count(b"aW1hZ2U=") == 2
    assert installation.upstream.seen[-1]["prompt"] == "1984"


def test_xml_that_would_grow_or_is_none_is_refused(installation: Installation) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><prediction><input><prompt>&a;</prompt></input></prediction>'
    deep = b"<a>" * 20_000 + b"</a>" * 20_000
    for body in (bomb, b"<open", deep):
        status, answer = raw(installation, body, **{"Content-Type": "application/xml"})
        assert status in (400, 422), answer
        assert b"Traceback" not in answer


def test_a_form_carries_scalars_by_their_schema(installation: Installation) -> None:
    boundary = "b0undary"
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("prompt", "7"), ("n", "1"))
    )
    body = f"{parts}--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    status, answer = raw(installation, body, **kind)
    assert status == 200, answer
    assert installation.upstream.seen[-1]["prompt"] == "7"
    assert installation.upstream.seen[-1]["n"] == 1


def test_forms_that_are_not_taken_or_given_are_said_so(installation: Installation) -> None:
    assert raw(installation, b"x", **{"Content-Type": "text/plain"})[0] == 415
    body = json.dumps({"input": {"prompt": "x"}}).encode()
    assert raw(installation, body, **{"Content-Type": "application/json", "Accept": "image/png"})[0] == 406

"""A SavedModel behind the Open Inference Protocol v2 on Ray Serve.

This file imports nothing of Mercato: `manage.py deploy_ray` sends it to the cluster as it is. The cluster's machines need
Ray, TensorFlow and NumPy, and must see the models' folders. In a Serve config its import path is
`mercato_on_ray:application` for a model and `mercato_on_ray:door` for the server's own addresses.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

Arrays = dict[str, Any]
MOST_ROWS = 64  # requests joined in one call
KEY_VARIABLE = "RAY_SERVE_KEY"
NUMPY = {
    "BOOL": "bool", "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64", "UINT8": "uint8",
    "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    "BYTES": "object",
}  # fmt: skip
DATATYPES = {numpy: datatype for datatype, numpy in NUMPY.items()}


class Refused(Exception):
    """The request is wrong; the message says what to change."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@serve.deployment(
    max_ongoing_requests=2 * MOST_ROWS,
    max_queued_requests=256,
    health_check_period_s=5,
    health_check_timeout_s=30,
    graceful_shutdown_timeout_s=20,
)
class SavedModel:
    """The signature `serving_default` of one version; requests that come while it runs are joined for its next turn."""

    def __init__(self, folder: str, model: str, number: int, fingerprint: str = "", key: str = "") -> None:
        self._model, self._number, self._fingerprint = model, str(number), fingerprint
        self._key = key or os.environ.get(KEY_VARIABLE, "")
        # One thread: the event loop goes on answering health checks while TensorFlow computes.
        self._thread = ThreadPoolExecutor(1)
        self._call, self._inputs, self._outputs = loaded(folder)
        self._probe()

    def _probe(self) -> None:
        zeros = {name: np.zeros([1, *(max(s, 1) for s in shape[1:])], dtype) for name, dtype, shape in self._inputs}
        for name, dtype, _ in self._inputs:
            if dtype == "object":
                zeros[name] = np.full(zeros[name].shape, b"", object)
        self._call(zeros)

    async def check_health(self) -> None:
        """Runs the model on zeros; Serve replaces a replica for which this raises."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._probe)

    async def __call__(self, request: Request) -> Response:
        """GET …, …/ready and POST …/infer of the model, with or without /versions/N."""
        try:
            return await self._answer(request)
        except Refused as refused:
            return as_json({"error": str(refused)}, refused.status)

    async def _answer(self, request: Request) -> Response:
        let_in(request, self._key)
        rest = request.url.path.partition(f"/v2/models/{self._model}")[2].rstrip("/")
        if rest.startswith("/versions/"):
            number, _, rest = rest.removeprefix("/versions/").partition("/")
            if number != self._number:
                raise Refused(f"Version {self._number} of {self._model} runs here, not {number[:20]}.", 404)
            rest = f"/{rest}" if rest else ""
        if (request.method, rest) == ("POST", "/infer"):
            body = await request.body()
            given, arrays = parsed(body, request.headers.get("inference-header-content-length"), self._inputs)
            outputs = await self._joined(arrays)
            if isinstance(outputs, Exception):
                raise outputs
            return rendered(given, outputs, self._model, self._number)
        if (request.method, rest) == ("GET", "/ready"):
            return as_json({"name": self._model, "ready": True})
        if (request.method, rest) == ("GET", ""):
            return as_json(self._metadata())
        raise Refused(f"There is no {request.method} {request.url.path[:200]} here.", 404)

    def _metadata(self) -> dict[str, Any]:
        def shown(tensors: list[tuple[str, str, list[int]]]) -> list[dict[str, Any]]:
            return [{"name": n, "datatype": DATATYPES[dtype], "shape": shape} for n, dtype, shape in tensors]

        return {
            "name": self._model,
            "versions": [self._number],
            "platform": "tensorflow_savedmodel",
            "inputs": shown(self._inputs),
            "outputs": shown(self._outputs),
            "parameters": {"fingerprint": self._fingerprint},
        }

    @serve.batch(max_batch_size=MOST_ROWS, batch_wait_timeout_s=0.0)
    async def _joined(self, requests: list[Arrays]) -> list[Arrays | Exception]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, together, self._call, requests)


@serve.deployment(ray_actor_options={"num_cpus": 0})
class Door:
    """GET /v2 and /v2/health/…: what a client asks of a server."""

    async def __call__(self, request: Request) -> Response:
        """Open to all: it tells nothing of the models."""
        path = request.url.path.rstrip("/")
        if path == "/v2":
            return as_json({"name": "mercato-on-ray", "version": "2", "extensions": ["binary_tensor_data"]})
        if path in ("/v2/health/live", "/v2/health/ready"):
            return as_json({path.rpartition("/")[2]: True})
        return as_json({"error": "There is no such model here."}, 404)


def application(args: dict[str, Any]) -> Any:
    """A model's application. `args`: folder, model, number; fingerprint, key; least, most (replicas), cpus (of each)."""
    deployment = SavedModel.options(
        ray_actor_options={"num_cpus": float(args.get("cpus", 1))},
        autoscaling_config={
            "min_replicas": int(args.get("least", 1)),
            "max_replicas": int(args.get("most", 1)),
            "target_ongoing_requests": MOST_ROWS / 4,
        },
    )
    return deployment.bind(
        args["folder"], args["model"], int(args["number"]), args.get("fingerprint", ""), args.get("key", "")
    )


def door(args: dict[str, Any] | None = None) -> Any:
    """The application for /v2 itself."""
    return Door.bind()


def loaded(folder: str) -> tuple[Callable[[Arrays], Arrays], list[Any], list[Any]]:
    """`serving_default` as a function on arrays, its inputs and its outputs as (name, dtype, shape)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"{folder} is not a folder on this machine of the cluster: share it, or give --models-dir."
        )
    model = tf.saved_model.load(folder)
    signature = model.signatures["serving_default"]
    specs = signature.structured_input_signature[1]

    def described(tensors: dict[str, Any]) -> list[tuple[str, str, list[int]]]:
        return [
            (name, np.dtype(spec.dtype.as_numpy_dtype).name, [-1 if s is None else s for s in spec.shape.as_list()])
            for name, spec in tensors.items()
        ]

    def call(arrays: Arrays) -> Arrays:
        assert model is not None  # its variables live as long as the model does
        try:
            given = {name: tf.constant(arrays[name], spec.dtype) for name, spec in specs.items()}
            return {name: tensor.numpy() for name, tensor in signature(**given).items()}
        except (tf.errors.InvalidArgumentError, ValueError, TypeError) as error:
            raise Refused("The input does not fit the model's signature.") from error

    return call, described(specs), described(signature.structured_outputs)


def together(call: Callable[[Arrays], Arrays], requests: list[Arrays]) -> list[Arrays | Exception]:
    """Each request's outputs, or why there are none. Requests whose rows are alike are joined."""
    answers: list[Any] = [None] * len(requests)
    alike: dict[Any, list[int]] = {}
    for at, arrays in enumerate(requests):
        alike.setdefault(tuple((n, a.shape[1:], a.dtype.str) for n, a in arrays.items()), []).append(at)
    for group in alike.values():
        try:
            joined = {name: np.concatenate([requests[at][name] for at in group]) for name in requests[group[0]]}
            outputs = call(joined)
            start = 0
            for at in group:
                rows = len(next(iter(requests[at].values())))
                answers[at] = {name: array[start : start + rows] for name, array in outputs.items()}
                start += rows
            if any(len(array) != start for array in outputs.values()):
                raise ValueError("the model gives another number of rows than it takes")
        except Exception as error:
            # One bad request must not take the others of its turn along.
            for at in group:
                answers[at] = error if len(group) == 1 else together(call, [requests[at]])[0]
    return answers


def let_in(request: Request, key: str) -> None:
    """Raises Refused (401) where a key is wanted and not brought."""
    brought = request.headers.get("authorization", "")
    if key and not hmac.compare_digest(brought.encode(), f"Bearer {key}".encode()):
        raise Refused("Bring the cluster's key as Authorization: Bearer …", 401)


def parsed(body: bytes, header: str | None, inputs: list[Any]) -> tuple[dict[str, Any], Arrays]:
    """The request's JSON and its arrays; `header` is the length of the JSON where bytes follow. Raises Refused."""
    try:
        length = len(body) if header is None else int(header)
        given = json.loads(body[:length])
        blob, at, found = memoryview(body)[length:], 0, {}
        for one in given["inputs"]:
            size = (one.get("parameters") or {}).get("binary_data_size")
            dtype = NUMPY[one["datatype"]]
            if size is None:
                found[one["name"]] = np.asarray(one["data"], dtype).reshape(one["shape"])
                continue
            if not 0 <= size <= len(blob) - at:
                raise Refused("binary_data_size goes beyond the end of the body.")
            found[one["name"]] = from_bytes(blob[at : at + size], dtype).reshape(one["shape"])
            at += size
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, struct.error) as error:
        raise Refused(f"This is no inference request: {type(error).__name__} {str(error)[:200]}") from error
    arrays = {}
    for name, dtype, shape in inputs:
        array = found.get(name)
        if array is None:
            raise Refused(f"Add the missing input {name}.")
        fits = array.ndim == len(shape) and all(
            want in (-1, have) for want, have in zip(shape, array.shape, strict=True)
        )
        if array.dtype.name != dtype or not fits:
            raise Refused(f"{name} must be {DATATYPES[dtype]} in the shape {shape}.")
        arrays[name] = array
    if len({len(array) for array in arrays.values()}) > 1:
        raise Refused("All inputs must have as many rows.")
    return given, arrays


def rendered(given: dict[str, Any], outputs: Arrays, model: str, number: str) -> Response:
    """The inference response, tensors as bytes where they were asked for so."""
    wanted = {one["name"]: one for one in given.get("outputs") or [] if isinstance(one, dict) and "name" in one}
    everywhere = (given.get("parameters") or {}).get("binary_data_output", False)
    said, blobs = [], []
    for name, array in outputs.items():
        if wanted and name not in wanted:
            continue
        one: dict[str, Any] = {"name": name, "datatype": DATATYPES[array.dtype.name], "shape": list(array.shape)}
        if (wanted.get(name, {}).get("parameters") or {}).get("binary_data", everywhere):
            blobs.append(as_bytes(array))
            one["parameters"] = {"binary_data_size": len(blobs[-1])}
        elif array.dtype == object:
            one["data"] = [text.decode("utf-8", "replace") for text in array.ravel()]
        else:
            one["data"] = array.ravel().tolist()
        said.append(one)
    answer: dict[str, Any] = {"model_name": model, "model_version": number, "outputs": said}
    if isinstance(given.get("id"), str):
        answer["id"] = given["id"]
    if not blobs:
        return as_json(answer)
    head = json.dumps(answer).encode()
    return Response(
        b"".join([head, *blobs]),
        media_type="application/octet-stream",
        headers={"Inference-Header-Content-Length": str(len(head))},
    )


def from_bytes(data: memoryview, dtype: str) -> Any:
    """A flat array of little-endian numbers, or of texts each with its length in 4 bytes before it."""
    if dtype != "object":
        return np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).astype(dtype, copy=False)
    found, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        if at + 4 + size > len(data):
            raise ValueError("a text is cut off")
        found.append(bytes(data[at + 4 : at + 4 + size]))
        at += 4 + size
    return np.asarray(found, object)


def as_bytes(array: Any) -> bytes:
    """The opposite of `from_bytes`."""
    if array.dtype != object:
        return bytes(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return b"".join(struct.pack("<I", len(text)) + text for text in array.ravel())


def as_json(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(content), status, media_type="application/json")

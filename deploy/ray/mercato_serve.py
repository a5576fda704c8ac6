"""A Ray Serve application of SavedModels that speaks the Open Inference Protocol v2 (JSON).

Self-contained: it runs on the cluster's machines, where Mercato is not installed. TensorFlow must be.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse

_DTYPES = {
    "BOOL": "bool", "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64", "UINT8": "uint8",
    "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
}  # fmt: skip
_NAMES = {numpy: name for name, numpy in _DTYPES.items()}


@serve.deployment(max_ongoing_requests=256, health_check_period_s=5)
class Model:
    """One SavedModel's serving_default; requests that come together are run together."""

    def __init__(self, folder: str) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        self._tf, self._loaded = tf, tf.saved_model.load(folder)
        self._call = self._loaded.signatures["serving_default"]
        self._inputs = self._call.structured_input_signature[1]

    def check_health(self) -> None:
        """Ray's: raises when the model is not there."""
        assert self._call is not None

    def describe(self) -> dict[str, Any]:
        """Inputs and outputs as the protocol tells them."""

        def told(specs: dict[str, Any]) -> list[dict[str, Any]]:
            return [
                {
                    "name": name,
                    "datatype": _NAMES.get(spec.dtype.name, "BYTES"),
                    "shape": [-1 if s is None else s for s in spec.shape],
                }
                for name, spec in specs.items()
            ]

        return {"inputs": told(self._inputs), "outputs": told(self._call.structured_outputs)}

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.002)
    async def infer(self, requests: list[dict[str, Any]]) -> list[Any]:
        """Each request's outputs by name, or what is wrong with it."""
        return [self._one(given) for given in requests] if len(requests) == 1 else self._together(requests)

    def _together(self, requests: list[dict[str, Any]]) -> list[Any]:
        try:
            joined = {name: np.concatenate([given[name] for given in requests]) for name in self._inputs}
            outputs = self._run(joined)
        except Exception:  # one of them does not fit: each on its own
            return [self._one(given) for given in requests]
        found, start = [], 0
        for given in requests:
            rows = len(next(iter(given.values())))
            found.append({name: array[start : start + rows] for name, array in outputs.items()})
            start += rows
        return found

    def _one(self, given: dict[str, Any]) -> Any:
        try:
            return self._run(given)
        except Exception as error:
            return f"The input does not fit the model's signature: {type(error).__name__}."

    def _run(self, given: dict[str, Any]) -> dict[str, Any]:
        tensors = {name: self._tf.constant(given[name], spec.dtype) for name, spec in self._inputs.items()}
        return {name: tensor.numpy() for name, tensor in self._call(**tensors).items()}


@serve.deployment
class Front:
    """The protocol's addresses."""

    def __init__(self, **models: Any) -> None:
        self._models = {name.replace("__", "/", 1): handle for name, handle in models.items()}

    async def __call__(self, request: Request) -> JSONResponse:
        path = request.url.path.rstrip("/")
        if path == "/v2":
            return JSONResponse({"name": "mercato-ray", "version": "1", "extensions": []})
        if path in ("/v2/health/live", "/v2/health/ready"):
            return JSONResponse({path.rsplit("/", 1)[1]: True})
        parts = path.removeprefix("/v2/models/").split("/")
        name, rest = "/".join(parts[:2]), parts[2:]
        handle = self._models.get(name)
        if handle is None:
            return JSONResponse({"error": f"There is no model {name}."}, 404)
        if rest == ["infer"] and request.method == "POST":
            return await self._infer(name, handle, await request.json())
        if rest == ["ready"]:
            return JSONResponse({"name": name, "ready": True})
        if not rest:
            return JSONResponse({"name": name, "platform": "ray", **await handle.describe.remote()})
        return JSONResponse({"error": "There is nothing at this address."}, 404)

    async def _infer(self, name: str, handle: Any, body: Any) -> JSONResponse:
        try:
            given = {
                one["name"]: np.asarray(one["data"], _DTYPES.get(one["datatype"], object)).reshape(one["shape"])
                for one in body["inputs"]
            }
        except (KeyError, TypeError, ValueError):
            return JSONResponse({"error": "inputs is a list of tensors with name, shape, datatype and data."}, 400)
        found = await handle.infer.remote(given)
        if isinstance(found, str):
            return JSONResponse({"error": found}, 400)
        outputs = [
            {"name": key, "datatype": _NAMES.get(array.dtype.name, "BYTES"), "shape": list(array.shape),
             "data": [t.decode() for t in array.ravel()] if array.dtype == object else array.ravel().tolist()}
            for key, array in found.items()
        ]  # fmt: skip
        return JSONResponse({"model_name": name, "outputs": outputs, **({"id": body["id"]} if "id" in body else {})})


def application(models: dict[str, str], least: int = 1, most: int = 4) -> Any:
    """The application for models by name (publisher/name → SavedModel's folder), each with `least` to `most` replicas."""
    scaling = {"min_replicas": least, "max_replicas": most, "target_ongoing_requests": 32}
    handles = {
        name.replace("/", "__", 1): Model.options(name=name.replace("/", "--"), autoscaling_config=scaling).bind(folder)
        for name, folder in models.items()
    }
    return Front.bind(**handles)

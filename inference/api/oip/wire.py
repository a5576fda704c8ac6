"""Open Inference Protocol v2, JSON: https://github.com/kserve/open-inference-protocol

Tensors come flat or nested, row-major; ours go flat. Datatypes by name: BOOL, INT8 …, UINT8 …, FP16 …, BYTES (text).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from marketplace.catalog.resolve import Resolved, resolve
from marketplace.tasks.task import Tensor
from marketplace.tasks.tensor import as_array
from portal.accounts.keys.lookup import Caller

_NUMPY = {
    "BOOL": "bool", "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64", "UINT8": "uint8",
    "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    "BYTES": "str",
}  # fmt: skip
_WIRE = {numpy: wire for wire, numpy in _NUMPY.items()}


def call_of(body: Any, model: str, caller: Caller, request_id: str) -> Call:
    """The call. Raises FieldInvalid (422) with a pointer to the tensor that is wrong, and InputInvalid."""
    given = fields(body)
    tensors = {tensor.name: tensor for tensor in resolve(model, caller.workspace_id).spec.inputs}
    inputs = given.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise FieldInvalid("Add inputs, a list of tensors.", param="/inputs")
    arrays = {}
    for at, one in enumerate(inputs):
        name = _name(one, tensors, at)
        arrays[name] = _array(one, tensors[name], at)
    missing = [name for name in tensors if name not in arrays]
    if missing:
        raise FieldInvalid(f"Add the missing input {missing[0]}.", param="/inputs")
    rows = {len(array) for array in arrays.values()}
    if len(rows) != 1:
        raise FieldInvalid("All inputs must have as many rows.", param="/inputs")
    return Call(caller, model, "oip", arrays, request_id, raw=True)


def _name(one: Any, tensors: dict[str, Tensor], at: int) -> str:
    name = one.get("name") if isinstance(one, dict) else None
    if name not in tensors:
        raise FieldInvalid(f"The model's inputs are {', '.join(tensors) or 'none'}.", param=f"/inputs/{at}/name")
    return str(name)


def _array(one: dict[str, Any], tensor: Tensor, at: int) -> Any:
    datatype, shape = one.get("datatype"), one.get("shape")
    if _NUMPY.get(str(datatype)) != tensor.dtype:
        raise FieldInvalid(f"{tensor.name} is of datatype {_WIRE[tensor.dtype]}.", param=f"/inputs/{at}/datatype")
    if not isinstance(shape, list) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise FieldInvalid("shape must be a list of positive whole numbers.", param=f"/inputs/{at}/shape")
    if "data" not in one:
        raise FieldInvalid("Add data, the tensor's values.", param=f"/inputs/{at}/data")
    return as_array(tensor, one["data"], shape, f"/inputs/{at}/data")


def response(outcome: Outcome, body: Any) -> bytes:
    """The inference response; echoes the caller's `id`, and gives only the outputs asked for."""
    given = fields(body)
    asked = {one["name"] for one in given.get("outputs") or [] if isinstance(one, dict) and "name" in one}
    outputs = []
    for name, array in outcome.output.items():
        if asked and name not in asked:
            continue
        text = array.dtype == object
        outputs.append(
            {
                "name": name,
                "datatype": "BYTES" if text else _WIRE[array.dtype.name],
                "shape": list(array.shape),
                "data": [v.decode() for v in array.ravel()] if text else np.ascontiguousarray(array.ravel()),
            }
        )
    answer: dict[str, Any] = {
        "model_name": outcome.resolved.slug,
        "model_version": str(outcome.resolved.number),
        "outputs": outputs,
    }
    if isinstance(given.get("id"), str):
        answer["id"] = given["id"]
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def metadata(resolved: Resolved) -> dict[str, Any]:
    """The model's metadata; −1 is any size."""

    def shown(tensors: tuple[Tensor, ...]) -> list[dict[str, Any]]:
        return [
            {"name": t.name, "datatype": _WIRE[t.dtype], "shape": [-1 if s is None else s for s in t.shape]}
            for t in tensors
        ]

    return {
        "name": resolved.slug,
        "versions": [str(resolved.number)],
        "platform": resolved.engine,
        "inputs": shown(resolved.spec.inputs),
        "outputs": shown(resolved.spec.outputs),
    }

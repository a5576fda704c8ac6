"""Open Inference Protocol v2: https://github.com/kserve/open-inference-protocol, with the binary tensor data extension:
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md

Tensors come flat or nested, row-major, as JSON or as bytes after it (little-endian; text with its length in 4 bytes
before it); ours go flat. Datatypes by name: BOOL, INT8 …, UINT8 …, FP16 …, BYTES (text).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import orjson
from numpy.typing import NDArray

from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from inference.engines import tensors
from marketplace.catalog.resolve import Resolved, resolve
from marketplace.tasks.oip import DATATYPES
from marketplace.tasks.task import Tensor
from marketplace.tasks.tensor import as_array, fitted
from portal.accounts.keys.lookup import Caller

_WIRE = {numpy: wire for wire, numpy in DATATYPES.items()}


def call_of(body: Any, model: str, caller: Caller, request_id: str, blob: memoryview | bytes = b"") -> Call:
    """The call; `blob` is what follows the JSON. Raises FieldInvalid (422) with a pointer to the tensor, InputInvalid."""
    given = fields(body)
    known = {tensor.name: tensor for tensor in resolve(model, caller.workspace_id).spec.inputs}
    inputs = given.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise FieldInvalid("Add inputs, a list of tensors.", param="/inputs")
    arrays: dict[str, NDArray[Any]] = {}
    at_byte = 0
    for at, one in enumerate(inputs):
        name = _name(one, known, at)
        size = (one.get("parameters") or {}).get("binary_data_size")
        if size is None:
            arrays[name] = _array(one, known[name], at)
            continue
        if not isinstance(size, int) or size < 0 or at_byte + size > len(blob):
            raise FieldInvalid("binary_data_size goes beyond the end of the body.", param=f"/inputs/{at}/parameters")
        arrays[name] = _array_of_bytes(one, known[name], blob[at_byte : at_byte + size], at)
        at_byte += size
    if at_byte != len(blob):
        raise FieldInvalid("The body has bytes that no input's binary_data_size covers.", param="/inputs")
    missing = [name for name in known if name not in arrays]
    if missing:
        raise FieldInvalid(f"Add the missing input {missing[0]}.", param="/inputs")
    rows = {len(array) for array in arrays.values()}
    if len(rows) != 1:
        raise FieldInvalid("All inputs must have as many rows.", param="/inputs")
    return Call(caller, model, "oip", arrays, request_id, raw=True)


def _name(one: Any, known: dict[str, Tensor], at: int) -> str:
    name = one.get("name") if isinstance(one, dict) else None
    if name not in known:
        raise FieldInvalid(f"The model's inputs are {', '.join(known) or 'none'}.", param=f"/inputs/{at}/name")
    return str(name)


def _shape(one: Mapping[str, Any], tensor: Tensor, at: int) -> list[int]:
    """The tensor's shape. Raises FieldInvalid, also for a datatype that is not the model's."""
    if DATATYPES.get(str(one.get("datatype"))) != tensor.dtype:
        raise FieldInvalid(f"{tensor.name} is of datatype {_WIRE[tensor.dtype]}.", param=f"/inputs/{at}/datatype")
    shape = one.get("shape")
    if not isinstance(shape, list) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise FieldInvalid("shape must be a list of positive whole numbers.", param=f"/inputs/{at}/shape")
    return shape


def _array(one: Mapping[str, Any], tensor: Tensor, at: int) -> NDArray[Any]:
    shape = _shape(one, tensor, at)
    if "data" not in one:
        raise FieldInvalid("Add data, the tensor's values.", param=f"/inputs/{at}/data")
    return as_array(tensor, one["data"], shape, f"/inputs/{at}/data")


def _array_of_bytes(one: Mapping[str, Any], tensor: Tensor, data: memoryview | bytes, at: int) -> NDArray[Any]:
    shape = _shape(one, tensor, at)
    try:
        array = tensors.from_bytes(data, _WIRE[tensor.dtype], shape)
    except (ValueError, struct.error) as error:
        raise FieldInvalid(
            f"{len(data)} bytes are not {tensor.name} in the shape {shape}.", param=f"/inputs/{at}/parameters"
        ) from error
    return fitted(tensor, array, f"/inputs/{at}/shape")


def response(outcome: Outcome, body: Any) -> tuple[bytes, int | None]:
    """The inference response, and the length of its JSON where bytes follow. Echoes the caller's `id`."""
    given = fields(body)
    wanted = {one["name"]: one for one in given.get("outputs") or [] if isinstance(one, dict) and "name" in one}
    all_binary = bool((given.get("parameters") or {}).get("binary_data_output"))
    outputs, blobs = [], []
    for name, array in outcome.output.items():
        if wanted and name not in wanted:
            continue
        binary = (wanted.get(name, {}).get("parameters") or {}).get("binary_data", all_binary)
        said: dict[str, Any] = {"name": name, "datatype": tensors.name_of(array), "shape": array.shape}
        if binary:
            blobs.append(tensors.to_bytes(array))
            said["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            said["data"] = tensors.as_json(array)
        outputs.append(said)
    answer: dict[str, Any] = {
        "model_name": outcome.resolved.slug,
        "model_version": str(outcome.resolved.number),
        "outputs": outputs,
    }
    if isinstance(given.get("id"), str):
        answer["id"] = given["id"]
    written = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join([written, *blobs]), len(written)) if blobs else (written, None)


def metadata(resolved: Resolved) -> dict[str, Any]:
    """The model's metadata; −1 is any size."""

    def shown(given: tuple[Tensor, ...]) -> list[dict[str, Any]]:
        return [
            {"name": t.name, "datatype": _WIRE[t.dtype], "shape": [-1 if s is None else s for s in t.shape]}
            for t in given
        ]

    return {
        "name": resolved.slug,
        "versions": [str(resolved.number)],
        "platform": resolved.engine,
        "inputs": shown(resolved.spec.inputs),
        "outputs": shown(resolved.spec.outputs),
    }

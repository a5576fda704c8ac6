"""The Open Inference Protocol as engines speak it: arrays ↔ bytes of a request and of an answer."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from marketplace.tasks.oip import DATATYPES
from marketplace.tasks.task import ModelSpec, Tensor

Arrays = Mapping[str, NDArray[Any]]
_NAMES = {np.dtype(numpy): name for name, numpy in DATATYPES.items() if numpy != "str"}


def name_of(array: NDArray[Any]) -> str:
    """The protocol's name for the array's type."""
    return "BYTES" if array.dtype == object else _NAMES[array.dtype]


def to_bytes(array: NDArray[Any]) -> bytes:
    """Little-endian, row-major; each text with its length in 4 bytes before it."""
    if array.dtype != object:
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    texts = [text if isinstance(text, bytes) else str(text).encode() for text in array.ravel()]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def from_bytes(data: memoryview | bytes, datatype: str, shape: list[int]) -> NDArray[Any]:
    """The array. Raises ValueError, struct.error and KeyError for bytes that are not it."""
    if datatype == "BYTES":
        return np.asarray(_texts(data), object).reshape(shape)
    return np.frombuffer(data, np.dtype(DATATYPES[datatype]).newbyteorder("<")).reshape(shape)


def as_json(array: NDArray[Any]) -> Any:
    """The flat list that JSON carries; an array where orjson writes it by itself."""
    if array.dtype == object:
        return [text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in array.ravel()]
    return np.ascontiguousarray(array.ravel() if array.dtype != np.float16 else array.ravel().astype(np.float32))


def request(arrays: Arrays, binary: bool) -> tuple[bytes, int | None]:
    """The body of an inference request, and the length of its JSON where bytes follow."""
    inputs, blobs = [], []
    for name, array in arrays.items():
        told: dict[str, Any] = {"name": name, "shape": array.shape, "datatype": name_of(array)}
        if binary:
            blobs.append(to_bytes(array))
            told["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            told["data"] = as_json(array)
        inputs.append(told)
    asked: dict[str, Any] = {"inputs": inputs}
    if binary:
        asked["parameters"] = {"binary_data_output": True}
    written = orjson.dumps(asked, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join([written, *blobs]), len(written)) if binary else (written, None)


def answer(body: bytes, header: int | None) -> dict[str, NDArray[Any]]:
    """The outputs of an answer. Raises ValueError, KeyError, TypeError and struct.error for one that is none."""
    length = len(body) if header is None else header
    told = orjson.loads(body[:length])
    blob, at = memoryview(body)[length:], 0
    found = {}
    for output in told["outputs"]:
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is not None:
            found[output["name"]] = from_bytes(blob[at : at + size], output["datatype"], output["shape"])
            at += size
        elif output["datatype"] == "BYTES":
            found[output["name"]] = np.asarray(output["data"], object).reshape(output["shape"])
        else:
            dtype = DATATYPES[output["datatype"]]
            found[output["name"]] = np.asarray(output["data"], dtype).reshape(output["shape"])
    return found


def fitted(spec: ModelSpec, found: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The specification's outputs. Raises ValueError for one that is missing, or of another type or shape."""
    return {tensor.name: _fitted(tensor, found.get(tensor.name)) for tensor in spec.outputs}


def _fitted(tensor: Tensor, array: NDArray[Any] | None) -> NDArray[Any]:
    if array is None:
        raise ValueError(f"it has no output {tensor.name}")
    if (array.dtype == object) != (tensor.dtype == "str"):
        raise ValueError(f"{tensor.name} is not of type {tensor.dtype}")
    fits = len(array.shape) == len(tensor.shape) and all(
        want is None or want == have for want, have in zip(tensor.shape, array.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{tensor.name} has the shape {list(array.shape)}")
    return array if tensor.dtype == "str" else np.asarray(array, tensor.dtype)


def _texts(data: memoryview | bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        if at + 4 + size > len(data):
            raise ValueError
        found.append(bytes(data[at + 4 : at + 4 + size]))
        at += 4 + size
    return found

"""TensorFlow Serving's REST interface: https://www.tensorflow.org/tfx/serving/api_rest

Row form: {"instances": […]} → {"predictions": […]}; column form: {"inputs": …} → {"outputs": …}. Bytes as {"b64": text}.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from marketplace.catalog.resolve import Resolved, resolve
from marketplace.tasks.task import Tensor
from marketplace.tasks.tensor import as_array
from portal.accounts.keys.lookup import Caller

_TYPES = {
    "bool": "DT_BOOL", "int8": "DT_INT8", "int16": "DT_INT16", "int32": "DT_INT32", "int64": "DT_INT64",
    "uint8": "DT_UINT8", "uint16": "DT_UINT16", "uint32": "DT_UINT32", "uint64": "DT_UINT64", "float16": "DT_HALF",
    "float32": "DT_FLOAT", "float64": "DT_DOUBLE", "str": "DT_STRING",
}  # fmt: skip
SIGNATURE = "serving_default"


def call_of(body: Any, model: str, caller: Caller, request_id: str, rows: str = "instances") -> Call:
    """The call. `rows`: the field of the row form. Raises FieldInvalid and InputInvalid with a pointer."""
    given = fields(body)
    if given.get("signature_name", SIGNATURE) != SIGNATURE:
        raise FieldInvalid(f"The signature that is served is {SIGNATURE}.", param="/signature_name")
    tensors = resolve(model, caller.workspace_id).spec.inputs
    if not tensors:
        raise FieldInvalid("This model takes no tensors: call it by its own protocol.", param="")
    if rows in given:
        arrays = _by_row(given[rows], tensors, f"/{rows}")
    elif "inputs" in given:
        arrays = _by_column(given["inputs"], tensors)
    else:
        raise FieldInvalid(f"Add {rows}, a list of rows, or inputs, columns by name.", param=f"/{rows}")
    if len({len(array) for array in arrays.values()}) != 1:
        raise FieldInvalid("All inputs must have as many rows.", param="")
    return Call(caller, model, "tfserving", arrays, request_id, raw=True)


def response(outcome: Outcome, body: Mapping[str, Any]) -> dict[str, Any]:
    """Predictions or outputs, in the form that was asked in; a lone output goes without its name."""
    columns = {name: _plain(name, array) for name, array in outcome.output.items()}
    alone = next(iter(columns.values())) if len(columns) == 1 else None
    if "instances" not in body:
        return {"outputs": columns if alone is None else alone}
    if alone is not None:
        return {"predictions": alone}
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def classes(outcome: Outcome) -> dict[str, Any]:
    """Each row's labels with their scores. Raises FieldInvalid for a model that does not classify."""
    labels = outcome.resolved.spec.labels
    scores = next(iter(outcome.output.values()))
    if len(outcome.output) != 1 or scores.ndim != 2:
        raise FieldInvalid("This model does not classify: use :predict.", param="")
    named = [labels[at] if at < len(labels) else str(at) for at in range(scores.shape[1])]
    return {"results": [[[name, float(score)] for name, score in zip(named, row, strict=True)] for row in scores]}


def values(outcome: Outcome) -> dict[str, Any]:
    """Each row's number. Raises FieldInvalid for a model that gives more than one."""
    found = next(iter(outcome.output.values()))
    if len(outcome.output) != 1 or found[0].size != 1:
        raise FieldInvalid("This model does not give one number a row: use :predict.", param="")
    return {"results": [float(value) for value in found.ravel()]}


def status(resolved: Resolved) -> dict[str, Any]:
    """The state of the version."""
    fine = {"error_code": "OK", "error_message": ""}
    return {"model_version_status": [{"version": str(resolved.number), "state": "AVAILABLE", "status": fine}]}


def metadata(resolved: Resolved) -> dict[str, Any]:
    """What the signature takes and gives."""

    def told(tensors: tuple[Tensor, ...]) -> dict[str, Any]:
        return {
            tensor.name: {
                "dtype": _TYPES[tensor.dtype],
                "tensor_shape": {
                    "dim": [{"size": str(-1 if size is None else size), "name": ""} for size in tensor.shape],
                    "unknown_rank": False,
                },
                "name": tensor.name,
            }
            for tensor in tensors
        }

    signature = {
        "inputs": told(resolved.spec.inputs),
        "outputs": told(resolved.spec.outputs),
        "method_name": "tensorflow/serving/predict",
    }
    return {
        "model_spec": {"name": resolved.slug, "signature_name": "", "version": str(resolved.number)},
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}},
    }


def _by_row(rows: Any, tensors: tuple[Tensor, ...], pointer: str) -> dict[str, NDArray[Any]]:
    if not isinstance(rows, list) or not rows:
        raise FieldInvalid("This is a list of at least one row.", param=pointer)
    named = isinstance(rows[0], dict) and set(rows[0]) != {"b64"}
    if not named and len(tensors) > 1:
        names = ", ".join(tensor.name for tensor in tensors)
        raise FieldInvalid(f"Each row is an object with {names}.", param=f"{pointer}/0")
    found = {}
    for tensor in tensors:
        if named:
            for at, row in enumerate(rows):
                if not isinstance(row, dict) or tensor.name not in row:
                    raise FieldInvalid(f"Add {tensor.name} to the row.", param=f"{pointer}/{at}")
        column = [row[tensor.name] for row in rows] if named else rows
        found[tensor.name] = as_array(tensor, _decoded(column), None, pointer)
    return found


def _by_column(given: Any, tensors: tuple[Tensor, ...]) -> dict[str, NDArray[Any]]:
    named = isinstance(given, dict) and set(given) != {"b64"}
    if not named and len(tensors) > 1:
        raise FieldInvalid("inputs is an object with the model's inputs by name.", param="/inputs")
    found = {}
    for tensor in tensors:
        if named and tensor.name not in given:
            raise FieldInvalid(f"Add the missing input {tensor.name}.", param="/inputs")
        column = given[tensor.name] if named else given
        found[tensor.name] = as_array(tensor, _decoded(column), None, f"/inputs/{tensor.name}")
    return found


def _decoded(value: Any) -> Any:
    """The value with {"b64": text} as bytes."""
    if isinstance(value, list):
        if value and not isinstance(value[0], (list, dict)):
            return value  # numbers: nothing to look for
        return [_decoded(item) for item in value]
    if isinstance(value, dict) and set(value) == {"b64"}:
        try:
            return base64.b64decode(str(value["b64"]), validate=True)
        except ValueError as error:
            raise FieldInvalid("b64 is bytes in base64.", param="") from error
    return value


def _plain(name: str, array: NDArray[Any]) -> Any:
    if array.dtype != object:
        return array.tolist()
    as_bytes = name.endswith("_bytes")  # as TensorFlow Serving tells bytes from text

    def shown(text: Any) -> Any:
        raw = text if isinstance(text, bytes) else str(text).encode()
        return {"b64": base64.b64encode(raw).decode()} if as_bytes else raw.decode("utf-8", "replace")

    return np.vectorize(shown, otypes=[object])(array).tolist()

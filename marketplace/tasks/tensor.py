"""Raw tensors, for any model: by name, as the signature has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.errors import InputInvalid
from marketplace.tasks.task import Arrays, Json, ModelSpec, Task, Tensor


def as_array(tensor: Tensor, data: Any, shape: list[int] | None, pointer: str) -> np.ndarray[Any, Any]:
    """`data` (flat or nested) as the tensor's dtype and, where given, `shape`. Raises InputInvalid."""
    try:
        array = np.asarray(data, object if tensor.dtype == "str" else tensor.dtype)
        if shape is not None:
            array = array.reshape(shape)
    except (ValueError, TypeError, OverflowError) as error:
        wanted = f" in the shape {shape}" if shape else ""
        raise InputInvalid(f"{tensor.name} must be numbers of type {tensor.dtype}{wanted}.", param=pointer) from error
    fits = len(array.shape) == len(tensor.shape) and all(
        want is None or want == have for want, have in zip(tensor.shape, array.shape, strict=True)
    )
    if not fits or not array.shape or array.shape[0] == 0:
        sizes = [-1 if size is None else size for size in tensor.shape]
        raise InputInvalid(f"{tensor.name} must have the shape {sizes}, not {list(array.shape)}.", param=pointer)
    return array


class Raw:
    """{"inputs": {name: nested lists}} → {"outputs": {name: nested lists}}."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        names = [tensor.name for tensor in spec.inputs]
        return {
            "type": "object",
            "properties": {
                "inputs": {
                    "type": "object",
                    "properties": {name: {"type": "array"} for name in names},
                    "required": names,
                    "additionalProperties": False,
                }
            },
            "required": ["inputs"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        return {t.name: as_array(t, given["inputs"][t.name], None, f"/input/inputs/{t.name}") for t in spec.inputs}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        return {"outputs": {name: array.tolist() for name, array in outputs.items()}}

    def units(self, given: Json) -> dict[str, int]:
        return {}


TENSOR = Task(
    name="tensor",
    title="Raw tensors",
    summary="Takes and gives arrays of numbers.",
    modality="any",
    codec=Raw(),
    widget="json",
    protocols=("oip", "predictions"),
)

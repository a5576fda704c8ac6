"""Raw tensors, for any model: by name, as the signature has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import InputInvalid
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task, Tensor
from marketplace.tasks.task import said as _


def as_array(tensor: Tensor, data: Any, shape: list[int] | None, pointer: str) -> NDArray[Any]:
    """`data` (flat or nested) as the tensor's dtype and, where given, `shape`. Raises InputInvalid.

    Nothing is cast that would lose its value: no text to number, no fraction to whole number, no overflow.
    """
    try:
        array = _exact(data, tensor.dtype)
        if shape is not None:
            array = array.reshape(shape)
    except (ValueError, TypeError, OverflowError) as error:
        kind = "strings" if tensor.dtype == "str" else f"values of type {tensor.dtype}"
        wanted = f" in the shape {shape}" if shape else ""
        raise InputInvalid(f"{tensor.name} must be {kind}{wanted}.", param=pointer) from error
    return fitted(tensor, array, pointer)


def fitted(tensor: Tensor, array: NDArray[Any], pointer: str) -> NDArray[Any]:
    """The array, whose shape is the tensor's. Raises InputInvalid; also for numbers that are not finite."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputInvalid(f"{tensor.name} must be finite numbers.", param=pointer)
    fits = len(array.shape) == len(tensor.shape) and all(
        want is None or want == have for want, have in zip(tensor.shape, array.shape, strict=True)
    )
    if not fits or not array.shape or array.shape[0] == 0:
        sizes = [-1 if size is None else size for size in tensor.shape]
        raise InputInvalid(f"{tensor.name} must have the shape {sizes}, not {list(array.shape)}.", param=pointer)
    return array


def _exact(data: Any, dtype: str) -> NDArray[Any]:
    """Raises ValueError for what `dtype` does not hold."""
    if dtype == "str":
        texts = np.asarray(data, object)
        if not all(isinstance(text, (str, bytes)) for text in texts.flat):
            raise ValueError
        return texts
    found = np.asarray(data)
    kind = np.dtype(dtype).kind
    if dtype == "uint64" and found.dtype.kind == "f":
        found = np.asarray(data, object)  # small and large ones together: NumPy would make them fractions
        if all(isinstance(value, int) for value in found.flat):
            return found.astype(dtype)
        raise ValueError
    if found.dtype.kind not in ("b" if kind == "b" else "iuf"):
        raise ValueError
    with np.errstate(over="ignore", invalid="ignore"):
        array = found.astype(dtype, copy=False)
    if kind in "iu" and (array != found).any():
        raise ValueError
    return array


def _listed(array: NDArray[Any]) -> Any:
    """Nested lists as JSON takes them: text that came as bytes is text again."""
    if array.dtype == object:
        texts = [text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in array.flat]
        return np.asarray(texts, object).reshape(array.shape).tolist()
    return array.tolist()


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

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        names = [tensor.name for tensor in spec.outputs]
        return {
            "type": "object",
            "properties": {
                "outputs": {
                    "type": "object",
                    "properties": {name: {"type": "array"} for name in names},
                    "required": names,
                }
            },
            "required": ["outputs"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        arrays = {t.name: as_array(t, given["inputs"][t.name], None, f"/input/inputs/{t.name}") for t in spec.inputs}
        if len({len(array) for array in arrays.values()}) > 1:
            raise InputInvalid("All inputs must have as many rows.", param="/input/inputs")
        return arrays

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        return {"outputs": {name: _listed(array) for name, array in outputs.items()}}

    def units(self, given: Json) -> dict[str, int]:
        return {"row": max(map(len, given["inputs"].values()), default=0)}


TENSOR = Task(
    name="tensor",
    title=_("Raw tensors"),
    summary=_("Takes and gives arrays of numbers."),
    modality="any",
    codec=Raw(),
    widget="json",
    metrics=(
        Metric("r2", _("Explained variance (R²)")),
        Metric("rmse", _("Root mean squared error"), higher_is_better=False),
    ),
    protocols=("oip", "predictions"),
    also=("arrays", "matrix", "custom", "inference", "numbers", "ONNX", "Triton", "张量", "自定义"),
)

"""Inputs to try a model with that came without any."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks.pictures import png
from marketplace.tasks.task import ModelSpec, Task, Tensor

SIDE = 64  # pixels of a made-up picture
TOKENS = 16  # that a made-up request lets a model write


def given_by(task: Task, spec: ModelSpec) -> list[Any]:
    """Those that the model or its task names."""
    return [bounded(task, given) for given in spec.examples or task.examples]


def made_up(task: Task, spec: ModelSpec) -> list[Any]:
    """One that fits the schema, where that says enough to make it: a picture, a row of typical values, tensors of ones."""
    fields = task.codec.input_schema(spec).get("properties", {})
    if "image" in fields:
        return [{"image": _picture()}]
    if "inputs" in fields:
        return [{"inputs": {tensor.name: _ones(tensor) for tensor in spec.inputs}}]
    if spec.features:
        return [{"features": {feature.name: feature.typical for feature in spec.features}}]
    return []


def bounded(task: Task, given: Any) -> Any:
    """The input, with a bound of what may be written where the task writes."""
    if not task.streams or not isinstance(given, dict) or "max_tokens" in given:
        return given
    return {**given, "max_tokens": TOKENS}


def _picture() -> str:
    return png(np.linspace(0, 255, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint8))


def _ones(tensor: Tensor) -> Any:
    shape = [size or 1 for size in tensor.shape]
    return np.full(shape, "a" if tensor.dtype == "str" else True if tensor.dtype == "bool" else 1).tolist()

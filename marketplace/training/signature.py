"""Reads what a SavedModel takes and gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marketplace.errors import SourceInvalid
from marketplace.tasks.task import ModelSpec, Tensor


def describe(folder: Path) -> ModelSpec:
    """The inputs and outputs of `serving_default`. Imports TensorFlow: seconds. Raises SourceInvalid."""
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    try:
        signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    except KeyError as error:
        raise SourceInvalid(f"{folder} has no signature named serving_default.") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceInvalid(f"{folder} cannot be loaded as a SavedModel: {str(error)[:200]}") from error
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    return ModelSpec(_tensors(inputs), _tensors(outputs))


def _tensors(specs: dict[str, Any]) -> tuple[Tensor, ...]:
    found = []
    for name, spec in specs.items():
        if spec.shape.rank is None or spec.shape.rank == 0:
            raise SourceInvalid(f"{name} has no batch dimension: every input and output needs rows as its first axis.")
        dtype = "str" if spec.dtype.name == "string" else spec.dtype.name
        found.append(Tensor(name, dtype, tuple(spec.shape.as_list())))
    return tuple(found)

"""The runs before a model's first request, so that the first is as fast as the others."""

from __future__ import annotations

import numpy as np

from inference.engines.batching import Arrays, Batcher
from inference.engines.engine import ReplicaSpec
from marketplace.errors import InputInvalid
from portal.kit.errors import Problem

RUN_S = 60.0


def warm_up(batcher: Batcher, replica: ReplicaSpec) -> None:
    """Runs one row and two. A sample that the model cannot read is no reason not to serve it: it is passed over."""
    sample = _sample(replica)
    for rows in (1, 2):
        try:
            batcher.run({name: np.repeat(array[:1], rows, axis=0) for name, array in sample.items()}, RUN_S)
        except Problem:
            return


def _sample(replica: ReplicaSpec) -> Arrays:
    """The task's example as the model reads it; else zeros and empty texts in the shapes of its inputs."""
    task, spec = replica.task, replica.spec
    try:
        return task.codec.prepare(task.example(spec), spec)
    except (InputInvalid, KeyError, TypeError, ValueError):
        pass
    found = {}
    for tensor in spec.inputs:
        shape = [1 if size is None else size for size in tensor.shape]
        found[tensor.name] = np.full(shape, b"", object) if tensor.dtype == "str" else np.zeros(shape, tensor.dtype)
    return found

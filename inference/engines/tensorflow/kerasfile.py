"""Models in a .keras file: served by a traced call, never by `predict`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from inference.engines.batching import Arrays, Batcher
from inference.engines.engine import Piece, ReplicaSpec, Result, Work
from inference.engines.tensorflow.library import collect, keras, tensorflow
from inference.engines.tensorflow.warming import warm_up
from inference.errors import WrongProtocol
from marketplace.errors import InputInvalid, ModelNotReady
from marketplace.training.artifact import keras_file, weight_bytes

MOST_ROWS = 64  # joined in one call


class KerasModel:
    """See engine.Engine. Inputs and outputs by the names that the version's specification gives them."""

    def __init__(self, replica: ReplicaSpec) -> None:
        self._replica, self._place = replica, Path(replica.target)
        self.memory_bytes = 0
        self._serve: Batcher | None = None

    def model(self) -> Any:
        """The model. Code in the file is not run: Keras' safe mode refuses it. Raises ModelNotReady."""
        try:
            return keras().saving.load_model(keras_file(self._place), compile=False, safe_mode=True)
        except Exception as error:  # the library raises whatever its parsers raise
            raise ModelNotReady(f"{self._replica.model} cannot be loaded: {str(error)[:200]}") from error

    def prepared(self, work: Work) -> Arrays:
        """The arrays for an input that fits the task's schema. Raises InputInvalid."""
        return self._replica.task.codec.prepare(work.given, self._replica.spec)

    def load(self) -> None:
        """See engine.Engine."""
        tf, model = tensorflow(), self.model()
        inputs, outputs = self._replica.spec.inputs, self._replica.spec.outputs
        signature = [tf.TensorSpec(list(tensor.shape), tensor.dtype) for tensor in inputs]

        @tf.function(input_signature=signature)  # type: ignore[untyped-decorator] # no types
        def run(*given: Any) -> Any:
            found = model(given[0] if len(given) == 1 else list(given), training=False)
            if isinstance(found, dict):
                return list(found.values())
            return list(found) if isinstance(found, (list, tuple)) else [found]

        def call(arrays: Arrays) -> Arrays:
            try:
                given = [np.asarray(arrays[tensor.name], tensor.dtype) for tensor in inputs]
                found = run(*given)
            except (tf.errors.InvalidArgumentError, ValueError, TypeError, KeyError) as error:
                raise InputInvalid("The input does not fit the model's signature.") from error
            return {tensor.name: value.numpy() for tensor, value in zip(outputs, found, strict=True)}

        self._serve = Batcher(call, MOST_ROWS, self._replica.queue_max)
        warm_up(self._serve, self._replica)
        self.memory_bytes = weight_bytes(self._place)

    def unload(self) -> None:
        """See engine.Engine."""
        self._serve = None
        collect()

    def alive(self) -> bool:
        """It is in this process."""
        return True

    def infer(self, work: Work) -> Result:
        """See engine.Engine."""
        if self._serve is None:
            raise ModelNotReady(f"{self._replica.model} was unloaded: try again.", retry_after_s=1)
        task, spec = self._replica.task, self._replica.spec
        if work.raw:
            rows = len(next(iter(work.given.values())))
            return Result(self._serve.run(work.given, work.timeout_s), {"request": 1, task.row_unit: rows})
        outputs = self._serve.run(self.prepared(work), work.timeout_s)
        return Result(task.codec.present(work.given, outputs, spec), {"request": 1, **task.codec.units(work.given)})

    def stream(self, work: Work) -> Iterator[Piece]:
        """Such a model does not stream."""
        raise WrongProtocol(f"{self._replica.model} does not stream: ask for the whole answer.")

"""SavedModels in this process, by their exported signatures.

They run in a session, as TensorFlow Serving runs them: a call costs a third of what the same signature costs as a
TensorFlow function, and with no pool of threads between operations it stays on the caller's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inference.engines import fields
from inference.engines.batching import Arrays, Batcher
from inference.engines.engine import Piece, ReplicaSpec, Result, Work
from inference.engines.tensorflow.generation import pieces, whole
from inference.engines.tensorflow.library import tensorflow
from inference.engines.tensorflow.sampling import Sampler
from inference.engines.tensorflow.warming import warm_up
from inference.errors import DeadlinePassed, WrongProtocol
from marketplace.errors import InputInvalid, ModelNotReady
from marketplace.tasks.embeddings import counted
from marketplace.training.artifact import weight_bytes

MOST_ROWS = 64  # joined in one call
DEFAULT_TOKENS = 200


class SavedModel:
    """A SavedModel: `serving_default` answers in one call; `prefill` and `step` (see recipes.recurrent) generate text."""

    def __init__(self, replica: ReplicaSpec) -> None:
        self._replica = replica
        self.memory_bytes = 0
        self._session: Any = None
        self._serve: Batcher | None = None
        self._step: Batcher | None = None
        self._prefill: Callable[[Arrays], Arrays] | None = None
        self._tokens: list[str] = []

    def load(self) -> None:
        """Reads the folder and runs each signature once. Raises ModelNotReady."""
        tf = tensorflow()
        v1 = tf.compat.v1
        try:
            graph = tf.Graph()
            with graph.as_default():
                # Negative: operations run on the thread that calls.
                config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1)
                self._session = v1.Session(graph=graph, config=config)
                signatures = v1.saved_model.load(self._session, ["serve"], self._replica.target).signature_def
            self.memory_bytes = weight_bytes(Path(self._replica.target))
            if "serving_default" in signatures:
                call = _caller(tf, self._session, signatures["serving_default"])
                joined = all(tensor.shape[0] is None for tensor in self._replica.spec.inputs)
                self._serve = Batcher(call, MOST_ROWS if joined else 1, self._replica.queue_max)
                warm_up(self._serve, self._replica)
            if "step" in signatures:
                call = _caller(tf, self._session, signatures["step"])
                self._step = Batcher(call, MOST_ROWS, self._replica.queue_max)
                self._prefill = _caller(tf, self._session, signatures["prefill"])
                vocabulary = _caller(tf, self._session, signatures["vocabulary"])({})
                self._tokens = [token.decode() for token in vocabulary["tokens"]]
                for _ in self._generate({"prompt": self._tokens[0], "max_tokens": 2}, 60):
                    pass
        except (OSError, ValueError, KeyError, RuntimeError, tf.errors.OpError) as error:
            self.unload()
            raise ModelNotReady(f"{self._replica.model} cannot be loaded: {str(error)[:200]}") from error

    def infer(self, work: Work) -> Result:
        """See engine.Engine."""
        task, spec = self._replica.task, self._replica.spec
        if self._session is None:
            raise ModelNotReady(f"{self._replica.model} was unloaded: try again.", retry_after_s=1)
        if self._serve is None:
            if work.raw:
                raise WrongProtocol(
                    f"{self._replica.model} generates text: call it by predictions or chat completions."
                )
            return whole(self.stream(work))
        if work.raw:
            if task.name == "embeddings":  # it bills what it reads, and rows do not tell that
                raise WrongProtocol(f"{self._replica.model} reads text: call it by embeddings or predictions.")
            rows = len(next(iter(work.given.values())))
            return Result(self._serve.run(work.given, work.timeout_s), {"request": 1, task.row_unit: rows})
        fields.check(self._replica.model, task.name, work.given)
        outputs = self._serve.run(task.codec.prepare(work.given, spec), work.timeout_s)
        units = {"request": 1, **task.codec.units(work.given), **counted(task, work.given, outputs)}
        return Result(task.codec.present(work.given, outputs, spec), units)

    def stream(self, work: Work) -> Iterator[Piece]:
        """Text, a token at a time. Raises WrongProtocol for a model that does not generate."""
        if self._step is None or work.raw:
            raise WrongProtocol(f"{self._replica.model} does not stream: ask for the whole answer.")
        fields.check(self._replica.model, self._replica.task.name, work.given)
        return self._generate(work.given, work.timeout_s)

    def _generate(self, given: Mapping[str, Any], timeout_s: float) -> Iterator[Piece]:
        prompt, most = given["prompt"], given.get("max_tokens") or DEFAULT_TOKENS
        tokens = self._written(prompt, most, Sampler(given, 0.7), time.monotonic() + timeout_s)
        return pieces(tokens, self._tokens.__getitem__, given.get("stop"), len(prompt), most)

    def _written(self, prompt: str, most: int, sampler: Sampler, ends: float) -> Iterator[int]:
        """The tokens that follow the prompt. Raises DeadlinePassed."""
        assert self._step is not None
        assert self._prefill is not None
        answer = self._prefill({"text": np.asarray([prompt.encode()], object)})
        for count in range(1, most + 1):
            token = sampler.pick(answer["logits"][0])
            yield token
            if count == most:
                return
            if time.monotonic() > ends:
                raise DeadlinePassed("The text took too long: ask for fewer tokens.")
            state = {"token": np.asarray([token], np.int32), "state": answer["state"]}
            answer = self._step.run(state, max(ends - time.monotonic(), 0.0))

    def alive(self) -> bool:
        """It is in this process."""
        return True

    def unload(self) -> None:
        """See engine.Engine."""
        session, self._session = self._session, None
        self._serve = self._step = self._prefill = None
        if session is not None:
            session.close()


def _caller(tf: Any, session: Any, signature: Any) -> Callable[[Arrays], Arrays]:
    """The signature as a function on NumPy arrays."""
    from tensorflow.core.protobuf import config_pb2 as config

    inputs = {name: (info.name, tf.as_dtype(info.dtype).as_numpy_dtype) for name, info in signature.inputs.items()}
    outputs = {name: info.name for name, info in signature.outputs.items()}
    # What make_callable does without feeds; with them it takes the slow way through run().
    options = config.CallableOptions(feed=[tensor for tensor, _ in inputs.values()], fetch=list(outputs.values()))
    run = session._make_callable_from_options(options)

    def call(arrays: Arrays) -> Arrays:
        try:
            given = [np.asarray(arrays[name], dtype) for name, (_, dtype) in inputs.items()]
            return dict(zip(outputs, run(*given), strict=True))
        except (tf.errors.InvalidArgumentError, ValueError, TypeError, KeyError) as error:
            raise InputInvalid("The input does not fit the model's signature.") from error

    return call

"""BERT-like encoders of KerasHub or Hugging Face: texts to vectors, pooled as the folder's settings say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.engines import fields
from inference.engines.batching import Arrays, Batcher
from inference.engines.engine import Piece, ReplicaSpec, Result, Work
from inference.engines.tensorflow.backbones import encoder_of
from inference.engines.tensorflow.library import collect, size_of, tensorflow
from inference.engines.tensorflow.tokens import Tokens
from inference.errors import WrongProtocol
from marketplace.errors import InputInvalid, ModelNotReady
from marketplace.training.artifact import context_length, read_json

MOST_ROWS = 32  # joined in one call
GRAIN = 32  # texts are padded to a multiple of so many tokens, so that those of like length share a batch


class Encoder:
    """See engine.Engine. Pooling by sentence-transformers' 1_Pooling/config.json, else the mean; then unit length."""

    def __init__(self, replica: ReplicaSpec) -> None:
        self._replica, self._place = replica, Path(replica.target)
        self.memory_bytes = 0
        self._tokens: Tokens | None = None
        self._batcher: Batcher | None = None
        self._most = min(context_length(self._place) or 512, 512)
        settings = read_json(self._place / "sentence_bert_config.json").get("max_seq_length")
        if isinstance(settings, int):
            self._most = min(self._most, settings)
        pooling = read_json(self._place / "1_Pooling" / "config.json")
        self._pool = next(
            (how for how in ("cls_token", "max_tokens") if pooling.get(f"pooling_mode_{how}")), "mean_tokens"
        )
        # A sentence encoder that lists its modules normalises only where it says so.
        modules = self._place / "modules.json"
        self._normalise = not modules.is_file() or "Normalize" in modules.read_text(encoding="utf-8")

    def load(self) -> None:
        """See engine.Engine."""
        tf = tensorflow()
        try:
            backbone = encoder_of(self._place)
        except Exception as error:  # the library raises whatever its parsers raise
            raise ModelNotReady(f"{self._replica.model} cannot be loaded: {str(error)[:200]}") from error
        names = {tensor.name.partition(":")[0] for tensor in backbone.inputs}
        self._tokens = Tokens(self._place)
        self._most = min(self._most, getattr(backbone, "max_sequence_length", None) or self._most)

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)] * 2)  # type: ignore[untyped-decorator] # no types
        def run(tokens: Any, mask: Any) -> Any:
            given = {"token_ids": tokens, "padding_mask": mask, "segment_ids": tf.zeros_like(tokens)}
            found = backbone({name: given[name] for name in names}, training=False)
            states = found["sequence_output"] if isinstance(found, dict) else found
            weight = tf.cast(mask, states.dtype)[:, :, None]
            if self._pool == "cls_token":
                pooled = states[:, 0]
            elif self._pool == "max_tokens":
                pooled = tf.reduce_max(states - (1 - weight) * 1e9, 1)
            else:
                pooled = tf.reduce_sum(states * weight, 1) / tf.maximum(tf.reduce_sum(weight, 1), 1e-9)
            return tf.math.l2_normalize(pooled, -1) if self._normalise else pooled

        def call(arrays: Arrays) -> Arrays:
            return {"vectors": run(arrays["tokens"], arrays["mask"]).numpy()}

        self._batcher = Batcher(call, MOST_ROWS, self._replica.queue_max)
        self._vectors([[0]], 60)
        self.memory_bytes = size_of(backbone)

    def unload(self) -> None:
        """See engine.Engine."""
        self._tokens = self._batcher = None
        collect()

    def alive(self) -> bool:
        """It is in this process."""
        return True

    def infer(self, work: Work) -> Result:
        """See engine.Engine."""
        if work.raw:
            raise WrongProtocol(f"{self._replica.model} reads text: call it by embeddings or predictions.")
        if self._tokens is None:
            raise ModelNotReady(f"{self._replica.model} was unloaded: try again.", retry_after_s=1)
        fields.check(self._replica.model, "embeddings", work.given)
        encoded = self._tokens.encode_batch(work.given["texts"], self._most)
        vectors = self._vectors(encoded, work.timeout_s)
        wanted = work.given.get("dimensions")
        if wanted is not None:
            if wanted > vectors.shape[1]:
                raise InputInvalid(f"This model's vectors have {vectors.shape[1]} dimensions.", param="/dimensions")
            vectors = vectors[:, :wanted]
            if self._normalise:
                vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return Result({"embeddings": vectors.tolist()}, {"request": 1, "input_token": sum(map(len, encoded))})

    def stream(self, work: Work) -> Iterator[Piece]:
        """Vectors do not stream."""
        raise WrongProtocol(f"{self._replica.model} does not stream: ask for the whole answer.")

    def _vectors(self, encoded: list[list[int]], timeout_s: float) -> NDArray[Any]:
        """One vector a text, in order; texts of like length are run together."""
        assert self._batcher is not None
        ends = time.monotonic() + timeout_s
        groups: dict[int, list[int]] = {}
        for at, tokens in enumerate(encoded):
            length = -(-max(len(tokens), 1) // GRAIN) * GRAIN
            groups.setdefault(min(length, self._most), []).append(at)
        found: dict[int, NDArray[Any]] = {}
        for length, members in groups.items():
            for start in range(0, len(members), MOST_ROWS):
                rows = members[start : start + MOST_ROWS]
                ids, mask = np.zeros((len(rows), length), np.int32), np.zeros((len(rows), length), np.int32)
                for row, at in enumerate(rows):
                    ids[row, : len(encoded[at])] = encoded[at]
                    mask[row, : len(encoded[at])] = 1
                vectors = self._batcher.run({"tokens": ids, "mask": mask}, max(ends - time.monotonic(), 0.0))["vectors"]
                found |= dict(zip(rows, vectors, strict=True))
        return np.stack([found[at] for at in range(len(encoded))])

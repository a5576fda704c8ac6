"""Causal language models, a token at a time, over a cache of keys and values in slots: one slot a text.

A decoder has `slots`, `context` (tokens that a slot holds), `cache_bytes`, and `run(tokens, slots, starts)`, which writes
tokens [n, t] at the places from `starts` [n] on into `slots` [n], no slot twice, and gives the logits [n, vocabulary]
after the last of each.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.engines.tensorflow.families import gpt2, rotary
from inference.engines.tensorflow.slots import Slotted
from marketplace.training.artifact import MOST_CONTEXT

Integers = NDArray[np.int32]


class Decoder(Protocol):
    """See the module."""

    slots: int
    context: int
    cache_bytes: int

    def run(self, tokens: Integers, slots: Integers, starts: Integers) -> NDArray[np.float32]: ...


def decoder_of(tf: Any, model: Any) -> Decoder:
    """The decoder for a KerasHub CausalLM: with slots for the families whose blocks we know, else one text at a time."""
    for family in (gpt2, rotary):
        if family.knows(model):
            return Slotted(tf, family.of(tf, model.backbone))
    return OneByOne(tf, model)


class OneByOne:
    """Any other family by KerasHub's own cached call: one slot, so texts are generated one after the other."""

    def __init__(self, tf: Any, model: Any) -> None:
        limit = getattr(model.backbone, "max_sequence_length", None) or MOST_CONTEXT
        self.slots, self.context = 1, min(int(limit), MOST_CONTEXT)
        _, self._cache = model._build_cache(tf.zeros((1, self.context), tf.int32))
        self.cache_bytes = int(tf.size(self._cache)) * self._cache.dtype.size
        shapes = [tf.TensorSpec([1, None], tf.int32), tf.TensorSpec(self._cache.shape), tf.TensorSpec([], tf.int32)]
        self._call = tf.function(
            lambda tokens, cache, at: model.call_with_cache(tokens, cache, at), input_signature=shapes
        )
        for length in (1, 2):
            self.run(np.zeros((1, length), np.int32), np.zeros(1, np.int32), np.zeros(1, np.int32))

    def run(self, tokens: Integers, slots: Integers, starts: Integers) -> NDArray[np.float32]:
        """See the module."""
        logits, _, self._cache = self._call(tokens, self._cache, starts[0])
        last: NDArray[np.float32] = logits.numpy()[:, -1].astype(np.float32)
        return last

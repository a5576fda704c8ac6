"""Causal language models, a token at a time, over a cache of keys and values in slots: one slot a text.

A decoder has `slots`, `context` (tokens a slot holds), `extend(slot, tokens, start)`, which reads tokens into a slot and
gives the next one's logits [vocabulary], and `step(tokens, positions)`, which writes one token in every slot and gives
logits [slots, vocabulary]. What an idle slot computes is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

SLOTS = 8
MOST_CONTEXT = 1024  # the cache is as long; a model that could hold more is served with this much
GRAIN = 64  # attention looks at a multiple of so many positions


class Decoder(Protocol):
    """See the module."""

    slots: int
    context: int

    def extend(self, slot: int, tokens: Sequence[int], start: int) -> NDArray[np.float32]: ...

    def step(self, tokens: NDArray[np.int32], positions: NDArray[np.int32]) -> NDArray[np.float32]: ...


def decoder_of(tf: Any, model: Any) -> Decoder:
    """The decoder for a KerasHub CausalLM: with slots for the families whose layers we know, else one text at a time."""
    if type(model).__name__ == "GPT2CausalLM":
        return Slotted(tf, model.backbone)
    return OneByOne(tf, model)


class Slotted:
    """GPT-2's layers, computed for all slots at once.

    Radford et al.: Language Models are Unsupervised Multitask Learners, 2019; slots and admission between steps: Yu et
    al.: Orca, OSDI 2022. The cache is a variable that is written in place. Nothing is traced again in service: the
    number of positions that attention looks at is a tensor.
    """

    def __init__(self, tf: Any, backbone: Any) -> None:
        self._tf = tf
        self.slots, self.context = SLOTS, min(int(backbone.max_sequence_length), MOST_CONTEXT)
        self._heads = int(backbone.num_heads)
        self._width = int(backbone.hidden_dim)
        self._tokens = tf.constant(backbone.token_embedding.embeddings)
        self._unembed = tf.transpose(self._tokens)
        self._places = tf.constant(backbone.position_embedding.position_embeddings)
        self._norm = _norm(tf, backbone.layer_norm)
        self._layers = [_Layer(tf, layer, self._width) for layer in backbone.transformer_layers]
        shape = (self.slots * self.context, self._width)
        self._keys = [tf.Variable(tf.zeros(shape), trainable=False) for _ in self._layers]
        self._values = [tf.Variable(tf.zeros(shape), trainable=False) for _ in self._layers]
        integers = [tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)]
        self._run_step = tf.function(self._step, input_signature=integers)
        self._run_extend = tf.function(
            self._extend, input_signature=[tf.TensorSpec([None], tf.int32), *[tf.TensorSpec([], tf.int32)] * 3]
        )
        self.step(np.zeros(self.slots, np.int32), np.zeros(self.slots, np.int32))
        self.extend(0, [0], 0)

    def step(self, tokens: NDArray[np.int32], positions: NDArray[np.int32]) -> NDArray[np.float32]:
        """See the module. Shapes [slots], [slots] → [slots, vocabulary]."""
        seen = min(-(-(int(positions.max()) + 1) // GRAIN) * GRAIN, self.context)
        logits: NDArray[np.float32] = self._run_step(tokens, positions, np.int32(seen)).numpy()
        return logits

    def extend(self, slot: int, tokens: Sequence[int], start: int) -> NDArray[np.float32]:
        """See the module. Tokens [n] → logits [vocabulary]."""
        seen = start + len(tokens)
        given = np.asarray(tokens, np.int32), np.int32(slot), np.int32(start), np.int32(seen)
        logits: NDArray[np.float32] = self._run_extend(*given).numpy()
        return logits

    def _step(self, tokens: Any, positions: Any, seen: Any) -> Any:
        tf = self._tf
        x = tf.gather(self._tokens, tokens) + tf.gather(self._places, positions)
        rows = tf.range(self.slots) * self.context + positions
        hidden = tf.range(seen)[None, :] > positions[:, None]  # [slots, seen]: what a slot has not written yet
        mask = tf.where(hidden, np.float32(-1e9), np.float32(0.0))[:, None, None, :]
        for number, layer in enumerate(self._layers):
            query, keys, values = self._project(layer, x, number, rows)
            keys = tf.reshape(keys, (self.slots, self.context, self._width))[:, :seen]
            values = tf.reshape(values, (self.slots, self.context, self._width))[:, :seen]
            x = layer.rest(x, self._attend(query[:, None], keys, values, mask)[:, 0])
        return tf.matmul(self._norm(x), self._unembed)

    def _extend(self, tokens: Any, slot: Any, start: Any, seen: Any) -> Any:
        tf = self._tf
        positions = start + tf.range(tf.shape(tokens)[0])
        x = tf.gather(self._tokens, tokens) + tf.gather(self._places, positions)
        rows = slot * self.context + positions
        hidden = tf.range(seen)[None, :] > positions[:, None]  # [tokens, seen]
        mask = tf.where(hidden, np.float32(-1e9), np.float32(0.0))[None, None]
        first = slot * self.context
        for number, layer in enumerate(self._layers):
            query, keys, values = self._project(layer, x, number, rows)
            keys, values = keys[None, first : first + seen], values[None, first : first + seen]
            x = layer.rest(x, self._attend(query[None], keys, values, mask)[0])
        return tf.matmul(self._norm(x[-1:]), self._unembed)[0]

    def _project(self, layer: _Layer, x: Any, number: int, rows: Any) -> tuple[Any, Any, Any]:
        """The queries [n, width], and the cache with these rows' keys and values in it."""
        tf = self._tf
        query, key, value = tf.split(layer.before(x), 3, axis=-1)
        kept = []
        for cache, new in ((self._keys[number], key), (self._values[number], value)):
            tf.raw_ops.ResourceScatterUpdate(resource=cache.handle, indices=rows, updates=new)
            kept.append(cache.read_value())
        return query, kept[0], kept[1]

    def _attend(self, query: Any, keys: Any, values: Any, mask: Any) -> Any:
        """[b, n, width] × [b, m, width] → [b, n, width]"""
        tf, size = self._tf, self._width // self._heads

        def by_head(x: Any) -> Any:
            return tf.transpose(tf.reshape(x, (tf.shape(x)[0], tf.shape(x)[1], self._heads, size)), (0, 2, 1, 3))

        scores = tf.matmul(by_head(query), by_head(keys), transpose_b=True) / np.float32(size**0.5) + mask
        mixed = tf.transpose(tf.matmul(tf.nn.softmax(scores), by_head(values)), (0, 2, 1, 3))
        return tf.reshape(mixed, (tf.shape(mixed)[0], tf.shape(mixed)[1], self._width))


class _Layer:
    """One block's weights, the three projections joined."""

    def __init__(self, tf: Any, layer: Any, width: int) -> None:
        self._tf = tf
        attention = layer._self_attention_layer
        dense = (attention._query_dense, attention._key_dense, attention._value_dense)
        self._in = tf.concat([tf.reshape(part.kernel, (width, -1)) for part in dense], 1)
        self._in_bias = tf.concat([tf.reshape(part.bias, (-1,)) for part in dense], 0)
        self._out = tf.reshape(tf.constant(attention._output_dense.kernel), (-1, width))
        self._out_bias = tf.constant(attention._output_dense.bias)
        self._up, self._down = layer._feedforward_intermediate_dense, layer._feedforward_output_dense
        self._norm_1 = _norm(tf, layer._self_attention_layer_norm)
        self._norm_2 = _norm(tf, layer._feedforward_layer_norm)

    def before(self, x: Any) -> Any:
        """Queries, keys and values side by side: [n, width] → [n, 3 × width]."""
        return self._tf.matmul(self._norm_1(x), self._in) + self._in_bias

    def rest(self, x: Any, attended: Any) -> Any:
        """The block's output of its input and what attention gave."""
        tf = self._tf
        x = x + tf.matmul(attended, self._out) + self._out_bias
        inner = tf.nn.gelu(tf.matmul(self._norm_2(x), self._up.kernel) + self._up.bias, approximate=True)
        return x + tf.matmul(inner, self._down.kernel) + self._down.bias


def _norm(tf: Any, layer: Any) -> Any:
    gamma, beta, epsilon = tf.constant(layer.gamma), tf.constant(layer.beta), float(layer.epsilon)

    def norm(x: Any) -> Any:
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + epsilon) * gamma + beta

    return norm


class OneByOne:
    """Any other family by KerasHub's own cached call: one slot, so texts are generated one after the other."""

    def __init__(self, tf: Any, model: Any) -> None:
        self._tf, self._model = tf, model
        limit = getattr(model.backbone, "max_sequence_length", None) or MOST_CONTEXT
        self.slots, self.context = 1, min(int(limit), MOST_CONTEXT)
        _, self._cache = model._build_cache(tf.zeros((1, self.context), tf.int32))
        shapes = [tf.TensorSpec([1, None], tf.int32), tf.TensorSpec(self._cache.shape), tf.TensorSpec([], tf.int32)]
        self._call = tf.function(
            lambda tokens, cache, at: model.call_with_cache(tokens, cache, at), input_signature=shapes
        )
        self.extend(0, [0], 0)

    def extend(self, slot: int, tokens: Sequence[int], start: int) -> NDArray[np.float32]:
        """See the module."""
        logits, _, self._cache = self._call(np.asarray([tokens], np.int32), self._cache, np.int32(start))
        last: NDArray[np.float32] = logits.numpy()[0, -1].astype(np.float32)
        return last

    def step(self, tokens: NDArray[np.int32], positions: NDArray[np.int32]) -> NDArray[np.float32]:
        """See the module."""
        return self.extend(0, [int(tokens[0])], int(positions[0]))[None]

"""The decoder with slots: what is common to all families. Theirs is the mathematics of a block (see families)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from marketplace.training.artifact import MOST_CONTEXT

SLOTS = 8
GRAIN = 64  # places a block of the cache holds; attention looks at whole blocks
HIDDEN = np.float32(-1e9)


class Block(Protocol):
    """One layer. `x` [n, width]; `places` is what the family gave for the n tokens' places."""

    window: int | None  # places back that it sees; None: all

    def project(self, x: Any, places: Any) -> tuple[Any, Any, Any]:
        """Queries [n, heads, size], keys and values [n, shared, size]."""
        ...

    def rest(self, x: Any, attended: Any) -> Any:
        """Its output, of its input and what attention gave [n, heads × size]."""
        ...


class Family(Protocol):
    """A model's blocks and what stands before and after them."""

    context: int  # places that the model knows
    heads: int  # of queries
    shared: int  # of keys and values; heads / shared queries look at the same
    size: int  # of a head
    scale: float  # of the scores
    cap: float | None  # soft bound of the scores
    blocks: Sequence[Block]

    def embed(self, tokens: Any, at: Any) -> tuple[Any, Any]:
        """Of tokens and their places [n]: the first block's input and every block's `places`."""
        ...

    def logits(self, x: Any) -> Any:
        """[n, width] → [n, vocabulary]"""
        ...


class Slotted:
    """See decoders. Slots and admission between steps: Yu et al.: Orca, OSDI 2022.

    A block of the cache is a row of a variable, [slots × shared × blocks, GRAIN, size]: new keys and values are written
    in place, and only what the longest text has filled is read. Nothing is traced again in service, since all that
    changes is a tensor.
    """

    def __init__(self, tf: Any, family: Family) -> None:
        self._tf, self._family = tf, family
        self.slots, self.context = SLOTS, min(family.context, MOST_CONTEXT)
        self._blocks = -(-self.context // GRAIN)
        shape = (self.slots * family.shared * self._blocks, GRAIN, family.size)
        self._keys = [tf.Variable(tf.zeros(shape), trainable=False) for _ in family.blocks]
        self._values = [tf.Variable(tf.zeros(shape), trainable=False) for _ in family.blocks]
        self.cache_bytes = 2 * len(self._keys) * int(np.prod(shape)) * 4
        integers = [tf.TensorSpec(shape, tf.int32) for shape in ([None, None], [None], [None], [])]
        self._run = tf.function(self._forward, input_signature=integers)
        every = np.arange(self.slots, dtype=np.int32)
        for slots, length in ((every, 1), (every[:1], 1), (every[:1], 2)):
            self.run(np.zeros((len(slots), length), np.int32), slots, np.zeros(len(slots), np.int32))

    @property
    def traces(self) -> int:
        """How often the model was traced: never after it was made."""
        return int(self._run.experimental_get_tracing_count())

    def run(
        self, tokens: NDArray[np.int32], slots: NDArray[np.int32], starts: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """See decoders."""
        seen = -(-(int(starts.max()) + tokens.shape[1]) // GRAIN)
        logits: NDArray[np.float32] = self._run(tokens, slots, starts, np.int32(seen)).numpy()
        return logits

    def _forward(self, tokens: Any, slots: Any, starts: Any, seen: Any) -> Any:
        """Logits; attention looks at the first `seen` blocks of the slots."""
        tf, family = self._tf, self._family
        count, length = tf.shape(tokens)[0], tf.shape(tokens)[1]
        at = tf.reshape(starts[:, None] + tf.range(length), [-1])  # [n × t]
        x, places = family.embed(tf.reshape(tokens, [-1]), at)
        # Rows of the cache: [n, shared, blocks] of the slots, and where each token's keys and values go.
        firsts = (slots[:, None] * family.shared + tf.range(family.shared)) * self._blocks  # [n, shared]
        rows = firsts[:, :, None] + tf.range(seen)
        own = tf.repeat(firsts, length, axis=0) + (at // GRAIN)[:, None]  # [n × t, shared]
        new = tf.stack([own, tf.broadcast_to((at % GRAIN)[:, None], tf.shape(own))], -1)
        masks = {block.window: self._mask(at, count, length, seen, block.window) for block in family.blocks}

        def kept(cache: Any, written: Any) -> Any:
            """[n, shared, places, size]: what the slots hold, with what is written now."""
            tf.raw_ops.ResourceScatterNdUpdate(ref=cache.handle, indices=new, updates=written)
            found = tf.raw_ops.ResourceGather(resource=cache.handle, indices=rows, dtype=tf.float32)
            return tf.reshape(found, (count, family.shared, -1, family.size))

        for block, keys, values in zip(family.blocks, self._keys, self._values, strict=True):
            query, key, value = block.project(x, places)
            seen_by = kept(keys, key), kept(values, value), masks[block.window]
            x = block.rest(x, self._attend(query, *seen_by, count, length))
        width = x.shape[-1]
        return family.logits(tf.reshape(x, (count, length, width))[:, -1])

    def _mask(self, at: Any, count: Any, length: Any, seen: Any, window: int | None) -> Any:
        """[n, 1, 1, t, places]: what a token must not see, since it comes later or lies too far back."""
        tf = self._tf
        place = tf.range(seen * GRAIN)
        hidden = place > at[:, None]
        if window is not None:
            hidden |= place <= at[:, None] - window
        return tf.reshape(tf.where(hidden, HIDDEN, np.float32(0)), (count, 1, 1, length, -1))

    def _attend(self, query: Any, keys: Any, values: Any, mask: Any, count: Any, length: Any) -> Any:
        """[n × t, heads, size] × [n, shared, places, size] → [n × t, heads × size]"""
        tf, family = self._tf, self._family
        shared, group, size = family.shared, family.heads // family.shared, family.size
        query = tf.reshape(query * np.float32(family.scale), (count, length, shared, group, size))
        query = tf.reshape(tf.transpose(query, (0, 2, 3, 1, 4)), (count, shared, -1, size))
        scores = tf.matmul(query, keys, transpose_b=True)
        if family.cap is not None:
            scores = tf.tanh(scores / np.float32(family.cap)) * np.float32(family.cap)
        scores = tf.reshape(scores, (count, shared, group, length, -1)) + mask
        chances = tf.reshape(tf.nn.softmax(scores), (count, shared, group * length, -1))
        mixed = tf.reshape(tf.matmul(chances, values), (count, shared, group, length, size))
        return tf.reshape(tf.transpose(mixed, (0, 3, 1, 2, 4)), (-1, family.heads * size))

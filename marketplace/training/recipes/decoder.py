"""The network of the recipe transformer: a decoder whose memory of a text is one row of numbers, as long for any text.

Vaswani et al. 2017 with the norm before each block (RMS, Zhang and Sennrich 2019), no embedding of places but scores that
fall with distance (ALiBi, Press et al. 2022), each layer seeing the last WINDOW characters; a convolution over the last
characters stands in front. Keys and values roll through the row: a text may be of any length.
"""

from __future__ import annotations

from typing import Any

from marketplace.training.recipes import words

UNKNOWN = 0
WINDOW, HEADS, BLOCKS, BESIDE, EMBEDDING = 64, 4, 2, 5, 48


def state_size(width: int) -> int:
    """Numbers a text is remembered by: how many characters, the last ones, and keys and values of each block."""
    return 1 + (BESIDE - 1) + BLOCKS * 2 * WINDOW * width


def decoder(tokens: list[str], width: int, seed: int) -> Any:
    """A tf.Module with `read` and the signatures `prefill`, `step` and `vocabulary`; see recurrent."""
    import tensorflow as tf

    random = tf.random.Generator.from_seed(seed)
    size = width // HEADS
    slopes = tf.constant([2.0 ** (-2 * (head + 1)) for head in range(HEADS)])[:, None, None]

    def weights(rows: int, columns: int, scale: float = 1.0) -> Any:
        return tf.Variable(random.normal([rows, columns]) * scale / rows**0.5)

    def normal(x: Any, gain: Any) -> Any:
        return x * tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + 1e-6) * gain

    def heads(x: Any) -> Any:
        """[B, T, width] → [B, heads, T, size]"""
        return tf.transpose(tf.reshape(x, [tf.shape(x)[0], -1, HEADS, size]), [0, 2, 1, 3])

    class Block(tf.Module):  # type: ignore[misc] # TensorFlow publishes no types
        def __init__(self) -> None:
            super().__init__()
            self.gains = tf.Variable(tf.ones([2, width]))
            self.project, self.mix = weights(width, 3 * width), weights(width, width, 0.5)
            self.widen, self.narrow = weights(width, 2 * width), weights(2 * width, width, 0.5)

        def __call__(self, x: Any, kept: Any, hidden: Any) -> tuple[Any, Any, Any]:
            """Its output for x [B, T, width], and all keys and values [B, kept + T, width]. `hidden` is added to scores."""
            query, key, value = tf.split(normal(x, self.gains[0]) @ self.project, 3, -1)
            if kept is not None:
                key, value = tf.concat([kept[0], key], 1), tf.concat([kept[1], value], 1)
            scores = tf.matmul(heads(query) * size**-0.5, heads(key), transpose_b=True) + hidden
            seen = tf.transpose(tf.matmul(tf.nn.softmax(scores), heads(value)), [0, 2, 1, 3])
            x = x + tf.reshape(seen, tf.shape(x)) @ self.mix
            return x + tf.nn.gelu(normal(x, self.gains[1]) @ self.widen) @ self.narrow, key, value

    class Decoder(tf.Module):  # type: ignore[misc] # as above
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.beside = weights(len(tokens), EMBEDDING), weights(BESIDE * EMBEDDING, width)
            self.blocks = [Block() for _ in range(BLOCKS)]
            self.gain, self.head = tf.Variable(tf.ones([width])), weights(width, len(tokens), 0.5)
            self.tokens = tf.constant(tokens)
            self.table = words.table(tokens, UNKNOWN)

        def look(self, ids: Any) -> Any:
            """[B, BESIDE − 1 + T] → [B, T, width]: each character with those before it."""
            found = tf.gather(self.embed, ids)
            length = tf.shape(ids)[1] - BESIDE + 1
            return tf.concat([found[:, at : at + length] for at in range(BESIDE)], 2) @ self.beside

        def read(self, ids: Any) -> tuple[Any, Any]:
            """Logits [B, T, V], and keys and values of each block; what is UNKNOWN is not looked at."""
            length = tf.shape(ids)[1]
            far = tf.range(length)[:, None] - tf.range(length)
            hidden = tf.where((far >= 0) & (far < WINDOW), -slopes * tf.cast(far, tf.float32), -1e9)
            hidden = hidden[None] + tf.where(ids == UNKNOWN, -1e9, 0.0)[:, None, None]
            x, kept = self.look(tf.pad(ids, [[0, 0], [BESIDE - 1, 0]])), []
            for block in self.blocks:
                x, key, value = block(x, None, hidden)
                kept += [key, value]
            return normal(x, self.gain) @ self.head, kept

        def packed(self, count: Any, last: Any, kept: list[Any]) -> Any:
            """The state of so many characters, the last of them [B, BESIDE − 1], and keys and values [B, WINDOW, width]."""
            rows = tf.shape(last)[0]
            flat = [tf.reshape(one, [rows, WINDOW * width]) for one in kept]
            return tf.concat([tf.cast(count, tf.float32)[:, None], tf.cast(last, tf.float32), *flat], 1)

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.int32, "token"),
                tf.TensorSpec([None, state_size(width)], tf.float32, "state"),
            ]
        )  # type: ignore[untyped-decorator] # as above
        def step(self, token: Any, state: Any) -> Any:
            count = tf.minimum(tf.cast(state[:, 0], tf.int32) + 1, WINDOW)
            last = tf.concat([tf.cast(state[:, 1:BESIDE], tf.int32), token[:, None]], 1)
            kept = tf.reshape(state[:, BESIDE:], [-1, BLOCKS, 2, WINDOW, width])[:, :, :, 1:]
            far = tf.range(WINDOW - 1, -1, -1)
            hidden = -slopes * tf.cast(far, tf.float32) + tf.where(far < count[:, None], 0.0, -1e9)[:, None, None]
            x, held = self.look(last), []
            for at, block in enumerate(self.blocks):
                x, key, value = block(x, (kept[:, at, 0], kept[:, at, 1]), hidden)
                held += [key, value]
            logits = (normal(x, self.gain) @ self.head)[:, 0]
            return {"logits": logits, "state": self.packed(count, last[:, 1:], held)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])  # type: ignore[untyped-decorator] # as above
        def prefill(self, text: Any) -> Any:
            """Passes over characters that it has not learnt; reads as many as can matter."""
            ids = self.table.lookup(tf.strings.unicode_split(text, "UTF-8").to_tensor(""))
            known = tf.ragged.boolean_mask(ids, ids != UNKNOWN)[:, -(BLOCKS * WINDOW + BESIDE) :]
            # Texts end where the rows end: shorter ones begin later.
            most = BLOCKS * WINDOW + BESIDE
            ids = tf.reverse(tf.reverse(known, [1]).to_tensor(UNKNOWN, shape=[None, most]), [1])
            logits, kept = self.read(ids)
            count = tf.minimum(tf.cast(known.row_lengths(), tf.int32), WINDOW)
            kept = [one[:, -WINDOW:] * tf.cast(ids[:, -WINDOW:] != UNKNOWN, tf.float32)[..., None] for one in kept]
            return {"logits": logits[:, -1], "state": self.packed(count, ids[:, 1 - BESIDE :], kept)}

        @tf.function(input_signature=[])  # type: ignore[untyped-decorator] # as above
        def vocabulary(self) -> Any:
            return {"tokens": self.tokens}

    return Decoder()

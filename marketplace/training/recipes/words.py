"""Text as words, by TensorFlow's own operations: what a network learns from is what it is served with."""

from __future__ import annotations

from typing import Any

WORD = r"[\pL\pN]+"  # as RE2, TensorFlow's, writes letters and digits


def split(text: Any) -> Any:
    """Words and marks of each text (B,), ragged (B, words); spaces are left out."""
    import tensorflow as tf

    return tf.strings.split(tf.strings.regex_replace(text, r"([^\pL\pN\s])", r" \1 "))


def table(words: list[str], unknown: int) -> Any:
    """A lookup of each word's number in the list; `unknown` for others."""
    import tensorflow as tf

    pairs = tf.lookup.KeyValueTensorInitializer(words, list(range(len(words))), value_dtype=tf.int32)
    return tf.lookup.StaticHashTable(pairs, unknown)


def places(text: Any, most: int) -> tuple[Any, Any, Any]:
    """The first `most` words and marks of each text (B, T), "" where there are fewer, and where each begins and ends.

    Places are counted in characters, as Python counts them. The last column holds nothing, so that there is one always.
    """
    import tensorflow as tf

    # Spaces stay pieces at first, so that lengths add up.
    text = tf.strings.regex_replace(text, "\x01", " ")
    parts = tf.strings.split(tf.strings.regex_replace(text, r"([\pL\pN]+|\s+|[^\pL\pN\s])", "\\1\x01"), "\x01")
    lengths = tf.strings.length(parts, "UTF8_CHAR").to_tensor(0)
    ends = tf.cumsum(lengths, axis=1)
    parts = parts.to_tensor("")
    kept = tf.strings.regex_full_match(parts, r"[^\s]+")

    def only(dense: Any, default: Any) -> Any:
        found = tf.ragged.boolean_mask(dense, kept)[:, :most].to_tensor(default)
        return tf.pad(found, [[0, 0], [0, 1]], constant_values=default)

    return only(parts, ""), only(ends - lengths, 0), only(ends, 0)

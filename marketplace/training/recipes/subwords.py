"""Text as words, and a word as the pieces that it shares with others: pairs and triples of its letters, and itself whole.

The pieces are hashed (Bojanowski et al. 2017, "Enriching word vectors with subword information"), so there is no
vocabulary: a word that was never seen has pieces, too, and each Chinese, Japanese or Thai letter is a word of its own.
All of it is TensorFlow's own operations, and is exported with the network: serving takes text as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LETTERS = 16  # of a word, its two ends counted; longer words are cut
PIECES = 2 * LETTERS - 2  # its pairs and triples, and itself
_ALONE = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}!?]"  # letters that are words, and what sets the tone
_BETWEEN = r"[^\p{L}\p{M}\p{N}'!?]+"


def split(text: Any, most: int) -> Any:
    """The first `most` words of each text, in lower case: strings (rows, None), ragged."""
    import tensorflow as tf

    plain = tf.strings.regex_replace(tf.strings.lower(text, "utf-8"), "’", "'")
    apart = tf.strings.regex_replace(tf.strings.regex_replace(plain, _BETWEEN, " "), _ALONE, r" \0 ")
    return tf.strings.split(apart)[:, :most]


def pieces(words: Any, buckets: int) -> Any:
    """The pieces of each word: int32 (rows, the most words and one, PIECES) from 1 to `buckets`; 0 where there is none."""
    import tensorflow as tf

    flat = tf.strings.join(["<", words.flat_values, ">"])
    letters = tf.strings.unicode_split(flat, "UTF-8")[:, :LETTERS]
    parts = tf.concat([tf.expand_dims(flat, 1), tf.strings.ngrams(letters, (2, 3), separator="")], 1)
    numbers = tf.ragged.map_flat_values(lambda part: tf.strings.to_hash_bucket_fast(part, buckets) + 1, parts)
    of_words = words.with_flat_values(numbers.to_tensor(0, shape=[None, PIECES]))
    # An empty place after the last word, so that there is one where no text has any.
    return tf.pad(tf.cast(of_words.to_tensor(0, shape=[None, None, PIECES]), tf.int32), [[0, 0], [0, 1], [0, 0]])


def mean(buckets: int, width: int) -> Any:
    """A Keras layer: pieces (rows, words, PIECES) → each word's vector (rows, words, width), the mean of its pieces'."""
    import keras
    import tensorflow as tf

    class Mean(keras.layers.Layer):  # type: ignore[misc] # keras publishes no types
        def build(self, shape: Any) -> None:
            self.table = self.add_weight(
                shape=(buckets + 1, width), initializer=keras.initializers.RandomNormal(0, 0.1)
            )

        def call(self, pieces: Any) -> Any:
            # Most places of most texts are empty: only words are looked up.
            places = tf.where(pieces[..., 0] > 0)
            words = tf.gather_nd(pieces, places)
            there = tf.cast(words > 0, tf.float32)[..., None]
            vectors = tf.reduce_sum(tf.gather(self.table, words) * there, 1) / tf.reduce_sum(there, 1)
            return tf.scatter_nd(places, vectors, tf.concat([tf.shape(pieces, tf.int64)[:2], [width]], 0))

        def compute_output_shape(self, shape: Any) -> Any:
            return (*shape[:2], width)

    return Mean()


def export(serve: Callable[[Any], Mapping[str, Any]], model: Any, out: Path) -> Callable[[Any], Mapping[str, Any]]:
    """Writes a SavedModel that takes `text`, and gives its signature as loaded again: what is judged is what is served."""
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", serve, input_signature=[tf.TensorSpec([None], tf.string, "text")])
    archive.write_out(str(out), verbose=False)
    loaded = tf.saved_model.load(str(out))
    signature = loaded.signatures["serving_default"]
    signature.kept = loaded  # the signature's variables die with what they were loaded with
    return lambda texts: signature(text=tf.constant(texts))

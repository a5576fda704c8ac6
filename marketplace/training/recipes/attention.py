"""The network of the recipe seq2seq: two recurrent networks and attention between them. Strings in, strings out.

A GRU reads the source in both directions; another writes the target word by word from what it wrote and what it looks at
(global attention with the general score, Luong, Pham and Manning 2015). Where it writes a word that it does not know, the
source word that it looks at most is copied (Luong, Sutskever et al. 2015: Addressing the rare word problem).
"""

from __future__ import annotations

from typing import Any

from marketplace.training.recipes import words

PAD, UNKNOWN, NUMBER, BEGIN, END = range(5)
MARKS = ["", "\N{REPLACEMENT CHARACTER}", "0", "\x02", "\x03"]  # what the first words of both vocabularies stand for
EMBEDDING = 64
MOST_WORDS = 60  # of a source text that are read
SHORT_FORMS = (
    ("[’`]", "'"),
    (r"(?i)\bcan't\b|\bcannot\b", "can not"),
    (r"(?i)n't\b", " not"),
    (r"(?i)'m\b", " am"),
    (r"(?i)'re\b", " are"),
)


def network(source: list[str], target: list[str], units: int, seed: int) -> Any:
    """A tf.Module with `loss`, `variables`, and `translate`: string (B,) → {"text": string (B,)}.

    `source` and `target` are vocabularies that begin with MARKS; the source's is in lower case.
    """
    import tensorflow as tf

    random = tf.random.Generator.from_seed(seed)

    def weights(rows: int, columns: int) -> Any:
        return tf.Variable(random.normal([rows, columns]) / rows**0.5)

    class Gru(tf.Module):  # type: ignore[misc] # TensorFlow publishes no types
        """See recurrent.gru."""

        def __init__(self) -> None:
            super().__init__()
            self.kernel, self.recurrent = weights(EMBEDDING, 3 * units), weights(units, 3 * units)
            self.bias, self.recurrent_bias = (tf.Variable(tf.zeros([3 * units])) for _ in range(2))

        def cell(self, given: Any, state: Any) -> Any:
            kept = state @ self.recurrent + self.recurrent_bias
            gates = tf.sigmoid(given[:, : 2 * units] + kept[:, : 2 * units])
            fresh = tf.tanh(given[:, 2 * units :] + gates[:, units:] * kept[:, 2 * units :])
            return fresh + gates[:, :units] * (state - fresh)

        def read(self, given: Any, there: Any, state: Any) -> Any:
            """States (B, T, units) and the last one; where nothing is there, the state stays as it is."""
            given = tf.transpose(given @ self.kernel + self.bias, [1, 0, 2])
            there = tf.transpose(there)[:, :, None]
            states = tf.TensorArray(tf.float32, tf.shape(given)[0])
            for at in tf.range(tf.shape(given)[0]):
                state = tf.where(there[at], self.cell(given[at], state), state)
                states = states.write(at, state)
            return tf.transpose(states.stack(), [1, 0, 2]), state

    class Translator(tf.Module):  # type: ignore[misc] # as above
        def __init__(self) -> None:
            super().__init__()
            self.source, self.target = weights(len(source), EMBEDDING), weights(len(target), EMBEDDING)
            self.forward, self.backward, self.writer = Gru(), Gru(), Gru()
            self.bridge = weights(2 * units, units)
            self.score = weights(2 * units, units)
            self.mix, self.head = weights(3 * units, units), weights(units, len(target))
            self.head_bias = tf.Variable(tf.zeros([len(target)]))
            self.known = words.table(source, UNKNOWN)
            self.written = tf.constant(target)

        def read(self, ids: Any) -> Any:
            """What is looked at (B, S, 2 × units), where it is, and the writer's first state."""
            there = ids != PAD
            given = tf.gather(self.source, ids)
            nothing = tf.zeros([tf.shape(ids)[0], units])
            onward, last = self.forward.read(given, there, nothing)
            back, first = self.backward.read(given[:, ::-1], there[:, ::-1], nothing)
            return tf.concat([onward, back[:, ::-1]], 2), there, tf.tanh(tf.concat([last, first], 1) @ self.bridge)

        def look(self, states: Any, memory: Any, there: Any) -> Any:
            """Logits (B, T, V) for the writer's states (B, T, units), and how much each looks at each word (B, T, S)."""
            scores = tf.matmul(states, memory @ self.score, transpose_b=True)
            scores = tf.nn.softmax(tf.where(there[:, None], scores, -1e9))
            seen = tf.concat([tf.matmul(scores, memory), states], 2)
            return tf.tanh(seen @ self.mix) @ self.head + self.head_bias, scores

        def loss(self, ids: Any, answer: Any) -> Any:
            """Mean cross entropy of `answer` (B, T), which ends with END, where the writer is told the words so far."""
            memory, there, state = self.read(ids)
            told = tf.concat([tf.fill([tf.shape(ids)[0], 1], BEGIN), answer[:, :-1]], 1)
            states, _ = self.writer.read(tf.gather(self.target, told), tf.ones_like(told, tf.bool), state)
            logits, _ = self.look(states, memory, there)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(answer, logits)
            weight = tf.cast(answer != PAD, tf.float32)
            return tf.reduce_sum(losses * weight) / tf.reduce_sum(weight)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])  # type: ignore[untyped-decorator] # as above
        def translate(self, text: Any) -> Any:
            for pattern, instead in SHORT_FORMS:
                text = tf.strings.regex_replace(text, pattern, instead)
            # One column more, so that there is one for empty texts, too.
            given = tf.pad(words.split(text)[:, :MOST_WORDS].to_tensor(""), [[0, 0], [0, 1]], constant_values="")
            digits = tf.strings.regex_replace(tf.strings.lower(given, "utf-8"), "^[0-9]+$", MARKS[NUMBER])
            ids = self.known.lookup(digits)
            memory, there, state = self.read(ids)
            rows, most = tf.shape(ids)[0], 2 * tf.shape(ids)[1] + 4
            token, ended = tf.fill([rows], BEGIN), ~tf.reduce_any(there, 1)
            told = tf.TensorArray(tf.string, 0, dynamic_size=True, element_shape=[None])
            for at in tf.range(most):
                state = self.writer.cell(tf.gather(self.target, token) @ self.writer.kernel + self.writer.bias, state)
                logits, looks = self.look(state[:, None], memory, there)
                token = tf.argmax(logits[:, 0], 1, tf.int32)
                ended = ended | (token == END)
                copied = tf.gather(given, tf.argmax(looks[:, 0], 1), batch_dims=1)
                word = tf.where((token == UNKNOWN) | (token == NUMBER), copied, tf.gather(self.written, token))
                told = told.write(at, tf.where(ended, "", word))
                if tf.reduce_all(ended):
                    break
            return {"text": _joined(tf.strings.reduce_join(tf.transpose(told.stack()), 1, separator=" "))}

    return Translator()


def _joined(text: Any) -> Any:
    """Words as people write them: no space before a mark, a capital at the beginning."""
    import tensorflow as tf

    text = tf.strings.strip(tf.strings.regex_replace(text, r" +([^\pL\pN\s])", r"\1"))
    return tf.strings.upper(tf.strings.substr(text, 0, 1, "UTF8_CHAR"), "utf-8") + tf.strings.regex_replace(
        text, r"^(?s:.)", ""
    )

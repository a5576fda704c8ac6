"""GPT: a decoder-only transformer that converses, in Llama's form (Touvron et al. 2023), learnt on answers alone.

It ends in a folder as Hugging Face's library saves one (config.json, model.safetensors, tokenizer.json, a chat template),
so that it is served as any imported model is: texts that are written at once share each step, and stream. Parameters: KNOBS.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import ModelSpec
from marketplace.training.recipes import fitting
from marketplace.training.recipes.datasets.dialogues import Dialogue, dialogues
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

KNOBS = {
    "epochs": Knob(2, 1, 100),
    "width": Knob(96, 16, 1024),
    "layers": Knob(2, 1, 12),
    "learning_rate": Knob(0.004, 1e-6, 1.0),
    "seed": SEED,
}
HEADS, VOCABULARY, BATCH = 4, 1_400, 8
START = 0.05  # deviation of the embedding's numbers at first
ASKS, SAYS, END = "<|user|>", "<|assistant|>", "<|end|>"
CONTEXT = 512  # tokens of a conversation and its answer
REMEMBERED = 12  # messages that the template hands to the model: none was longer in training
TEMPLATE = (
    f"{{% for message in messages[-{REMEMBERED}:] %}}"
    f"{{% if message['role'] == 'user' %}}{ASKS}{{{{ message['content'] }}}}"
    f"{{% elif message['role'] == 'assistant' %}}{SAYS}{{{{ message['content'] }}}}{END}{{% endif %}}"
    f"{{% endfor %}}{{% if add_generation_prompt %}}{SAYS}{{% endif %}}"
)
EXAMPLES = ("What is Mercato?", "How do I make a key?", "What is 7 plus 5?", "My name is Ada.")


class Read(NamedTuple):
    """Dialogues as tokens [B, T], 0 after their ends, and where an answer's tokens stand: they are what is learnt."""

    tokens: NDArray[np.int32]
    answers: NDArray[np.int32]  # which answer of the batch the token belongs to, from 1; 0: none


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe. Raises ValueError for a width that the heads do not share evenly."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs, width = chosen["seed"], chosen["epochs"], chosen["width"]
    if width % (2 * HEADS):
        raise ValueError(f"width must be a multiple of {2 * HEADS}")
    report(Progress("loading data", 0, epochs))
    if dataset != "dialogues":
        raise ValueError(f"{dataset!r} is no set of dialogues that this recipe knows: use dialogues")
    data = dialogues(seed)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one order of the tokens for a seed
    tokenizer = _tokenizer(data.train)

    fitting.begin(seed)
    import keras_hub

    backbone = keras_hub.models.Llama3Backbone(
        vocabulary_size=tokenizer.get_vocab_size(), num_layers=chosen["layers"], num_query_heads=HEADS,
        num_key_value_heads=HEADS, hidden_dim=width, intermediate_dim=width * 5 // 2, tie_word_embeddings=True,
    )  # fmt: skip
    # Tied to what comes out, the embedding begins too small by default: nothing is copied from a question for long.
    embedding = backbone.token_embedding.embeddings
    embedding.assign(np.random.default_rng(seed).normal(0, START, embedding.shape))
    _fit(backbone, tokenizer, data.train, data.validation, chosen, report)
    report(Progress("exporting", epochs, epochs))
    _export(backbone, tokenizer, out)
    report(Progress("evaluating", epochs, epochs))
    loaded = keras_hub.models.Llama3Backbone.from_preset(str(out))
    commonest = Counter(answer for one in data.train for _, answer in one).most_common(1)[0][0]
    truth = [answer for one in data.test for _, answer in one]
    return Outcome(
        ModelSpec(
            examples=tuple({"messages": [{"role": "user", "content": text}]} for text in EXAMPLES),
            max_output_tokens=CONTEXT,
            context_length=CONTEXT,
        ),
        {"exact_match": _judge(loaded, _batches(tokenizer, data.test))},
        {"exact_match": truth.count(commonest) / len(truth)},
        {
            "rows": [sum(map(len, part)) for part in (data.train, data.validation, data.test)],
            "unit": "answers",
            "parameters": int(loaded.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _tokenizer(texts: list[Dialogue]) -> Any:
    """Pairs of bytes that are often together; what is no text of the training split has its bytes."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.Prepend(" ")  # a word is the same token where a text begins
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, ASKS, SAYS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator((text for one in texts for pair in one for text in pair), trainer)
    return made


def _batches(tokenizer: Any, texts: list[Dialogue]) -> list[Read]:
    """Dialogues of like length side by side."""
    asks, says, end = (tokenizer.token_to_id(token) for token in (ASKS, SAYS, END))
    flat = [text for one in texts for pair in one for text in pair]
    encoded = iter([found.ids for found in tokenizer.encode_batch(flat)])
    rows = []
    for one in texts:
        tokens: list[int] = []
        answers: list[int] = []
        for number in range(1, len(one) + 1):
            question, answer = next(encoded), [*next(encoded), end]
            tokens += [asks, *question, says, *answer]
            answers += [0] * (len(question) + 2) + [number] * len(answer)
        rows.append((tokens, answers))
    rows.sort(key=lambda row: len(row[0]))
    return [_side_by_side(rows[at : at + BATCH]) for at in range(0, len(rows), BATCH)]


def _side_by_side(rows: list[tuple[list[int], list[int]]]) -> Read:
    longest = max(len(tokens) for tokens, _ in rows)
    found = Read(*(np.zeros((len(rows), longest), np.int32) for _ in range(2)))
    before = 0
    for at, (tokens, answers) in enumerate(rows):
        found.tokens[at, : len(tokens)] = tokens
        found.answers[at, : len(answers)] = [number and number + before for number in answers]
        before += max(answers)
    return found


def _logits(backbone: Any, tokens: Any, answers: Any) -> tuple[Any, Any]:
    """What comes next where an answer's tokens do: logits [N, vocabulary], and the tokens that do [N]."""
    import tensorflow as tf

    places = tf.where(answers[:, 1:] > 0)
    states = backbone({"token_ids": tokens[:, :-1], "padding_mask": tf.ones_like(tokens[:, :-1])})
    return backbone.token_embedding(tf.gather_nd(states, places), reverse=True), tf.gather_nd(tokens[:, 1:], places)


def _fit(
    backbone: Any, tokenizer: Any, train: list[Dialogue], validation: list[Dialogue], chosen: Mapping[str, Any],
    report: Report,
) -> None:  # fmt: skip
    """AdamW, its rate rising over the first steps and falling as a cosine."""
    import keras
    import tensorflow as tf

    epochs, batches, seen = chosen["epochs"], _batches(tokenizer, train), _batches(tokenizer, validation)
    steps, warm = epochs * len(batches), min(40, epochs * len(batches) // 4 + 1)
    rate = keras.optimizers.schedules.CosineDecay(
        1e-5, steps - warm, warmup_target=chosen["learning_rate"], warmup_steps=warm
    )
    variables = list(backbone.trainable_variables)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.02, beta_2=0.98, clipnorm=1.0)
    optimizer.build(variables)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)] * 2)  # type: ignore[untyped-decorator] # TensorFlow publishes no types
    def learn(tokens: Any, answers: Any) -> Any:
        with tf.GradientTape() as tape:
            logits, truth = _logits(backbone, tokens, answers)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    random = np.random.default_rng(chosen["seed"])
    started = reported = time.monotonic()
    for epoch in range(1, epochs + 1):
        losses: list[float] = []
        for done, at in enumerate(random.permutation(len(batches)), 1):
            losses.append(float(learn(*map(tf.constant, batches[at]))))
            if (now := time.monotonic()) - reported >= fitting.REPORT_EVERY_S:
                reported, share = now, epoch - 1 + done / len(batches)
                eta = (now - started) / share * (epochs - share)
                report(Progress("training", epoch, epochs, float(np.mean(losses[-20:])), eta_s=eta))
        eta = (time.monotonic() - started) / epoch * (epochs - epoch)
        judged = _judge(backbone, seen)
        report(Progress("training", epoch, epochs, float(np.mean(losses)), "exact_match", judged, eta, True))


def _judge(backbone: Any, batches: Iterable[Read]) -> float:
    """The share of answers that come out to the letter, where always the likeliest token is taken.

    They do where each token is the likeliest after those before it: so no text has to be written.
    """
    import tensorflow as tf

    def right() -> Iterator[bool]:
        for batch in batches:
            logits, truth = _logits(backbone, tf.constant(batch.tokens), tf.constant(batch.answers))
            of, hits = batch.answers[:, 1:][batch.answers[:, 1:] > 0], logits.numpy().argmax(1) == truth.numpy()
            yield from (bool(hits[of == one].all()) for one in np.unique(of))

    return float(np.mean(list(right())))


def _export(backbone: Any, tokenizer: Any, out: Path) -> None:
    """The folder; see the module."""
    backbone.export_to_transformers(str(out))
    tokenizer.save(str(out / "tokenizer.json"))
    end = tokenizer.token_to_id(END)
    config = json.loads((out / "config.json").read_text())
    config |= {"max_position_embeddings": CONTEXT, "eos_token_id": end, "torch_dtype": "float32"}
    for name, content in (
        ("config.json", config),
        ("generation_config.json", {"do_sample": False, "eos_token_id": end}),
        ("tokenizer_config.json", {
            "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "pad_token": END,
            "chat_template": TEMPLATE, "model_max_length": CONTEXT,
        }),
    ):  # fmt: skip
        (out / name).write_text(json.dumps(content, indent=2))

"""Two towers: one reads what somebody chose, one an item; how well they agree is the item's score.

The item tower reads an id and attributes, the user tower the last items, which it meets as their ids and attributes, too:
their mean and a mean that weighs by how recent they are (Covington, Adams and Sargin, *Deep neural networks for YouTube
recommendations*, 2016). The loss is a softmax over the items that others of the batch chose, each score less log Q, where Q
is the item's share of all choices: without it popular items, which are drawn as negatives more often, would be held down
(Yi et al., *Sampling-bias-corrected neural modeling for large corpus item recommendations*, 2019). With it, the scores'
softmax estimates the chance of each item to be next. Where it is known what was on offer, the softmax is over that alone
and needs no correction (McFadden's conditional logit, 1974). Somebody new is a history without items, and learnt as such.

Signature: {"history": string (B, 20)}, ids filled up with "" in front → {"scores": (B, items)}. Parameters: KNOBS.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import choosing, fitting
from marketplace.training.recipes.choosing import HISTORY, NOTHING, Questions
from marketplace.training.recipes.datasets.follows import follows
from marketplace.training.recipes.datasets.interactions import Log
from marketplace.training.recipes.datasets.menus import menus
from marketplace.training.recipes.datasets.pages import pages
from marketplace.training.recipes.datasets.shop import shop
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

BATCH = 256
KNOBS = {
    "epochs": Knob(8, 1, 500),
    "dimensions": Knob(32, 2, 512),
    "dropout": Knob(0.3, 0.0, 0.9),
    "learning_rate": Knob(0.003, 1e-6, 1.0),
    "seed": SEED,
}
LOGS: dict[str, Callable[[int], Log]] = {"shop": shop, "pages": pages, "follows": follows, "menus": menus}


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset not in LOGS:
        raise ValueError(f"{dataset!r} is not a log that this recipe knows: use {' or '.join(LOGS)}")
    log = LOGS[dataset](seed)
    every, check, test = choosing.every(log.train), choosing.last(log.validation), choosing.last(log.test)

    import tensorflow as tf

    fitting.begin(seed)
    network = towers(log, chosen["dimensions"], chosen["dropout"], seed)
    _fit(network, every, check, chosen, report)
    report(Progress("exporting", epochs, epochs))
    tf.saved_model.save(network, str(out), signatures={"serving_default": network.serve})
    report(Progress("evaluating", epochs, epochs))
    loaded = tf.saved_model.load(str(out))
    ids = np.asarray([*(item.id.encode() for item in log.items), b""], object)
    answers = loaded.signatures["serving_default"](history=tf.constant(ids[test.history]))["scores"].numpy()
    popular = np.bincount(every.target, minlength=len(log.items)).astype(np.float64)
    return Outcome(
        ModelSpec(
            (Tensor("history", "str", (None, HISTORY)),),
            (Tensor("scores", "float32", (None, len(log.items))),),
            items=log.items,
            examples=choosing.examples(log, test),
        ),
        choosing.judge(answers, test),
        choosing.judge(np.tile(popular, (len(test.target), 1)), test),
        {
            "rows": [len(part.sequences) for part in (log.train, log.validation, log.test)],
            "unit": log.unit,
            "parameters": sum(int(np.prod(v.shape)) for v in network.trainable_variables),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _fit(network: Any, given: Questions, check: Questions, chosen: Mapping[str, Any], report: Report) -> None:
    """AdamW with a cosine schedule; the weights of the epoch that did best on the validation split are kept."""
    import keras
    import tensorflow as tf

    epochs, count = chosen["epochs"], len(given.target)
    steps = max(count // BATCH, 1)
    variables = list(network.trainable_variables)
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(chosen["learning_rate"], epochs * steps), weight_decay=0.01
    )
    optimizer.build(variables)
    share = np.bincount(given.target, minlength=network.count) / count
    log_q = tf.constant(np.log(np.maximum(share, 1 / count)), tf.float32)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator] # TensorFlow publishes no types
    def learn(history: Any, target: Any, shown: Any) -> Any:
        with tf.GradientTape() as tape:
            user = network.user(history, training=True)
            items, bias = network.item(tf.range(network.count))
            if shown.shape[1]:
                logits = tf.einsum("bd,bcd->bc", user, tf.gather(items, shown)) + tf.gather(bias, shown)
                right = tf.argmax(tf.cast(shown == target[:, None], tf.int32), 1)
            else:
                corrected = tf.gather(bias, target) - tf.gather(log_q, target)
                logits = tf.matmul(user, tf.gather(items, target), transpose_b=True) + corrected
                right = tf.range(tf.shape(target)[0])
                twice = (target[:, None] == target) & ~tf.eye(tf.shape(target)[0], dtype=tf.bool)
                logits = tf.where(twice, -1e9, logits)  # what one chose is no negative for oneself
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(right, logits))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    random, best, kept = np.random.default_rng(chosen["seed"]), -1.0, []
    started = reported = time.monotonic()
    for epoch in range(1, epochs + 1):
        order, losses = random.permutation(count), []
        for step in range(steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            losses.append(float(learn(*(tf.constant(a[rows]) for a in (given.history, given.target, given.shown)))))
            if (now := time.monotonic()) - reported >= fitting.REPORT_EVERY_S:
                reported, done = now, epoch - 1 + (step + 1) / steps
                eta = (now - started) / done * (epochs - done)
                report(Progress("training", epoch, epochs, float(np.mean(losses[-50:])), eta_s=eta))
        found = choosing.judge(network.scores(tf.constant(check.history)).numpy(), check)["ndcg_at_10"]
        if found > best:
            best, kept = found, [variable.numpy() for variable in variables]
        eta = (time.monotonic() - started) / epoch * (epochs - epoch)
        report(Progress("training", epoch, epochs, float(np.mean(losses)), "ndcg_at_10", found, eta, True))
    for variable, value in zip(variables, kept, strict=True):
        variable.assign(value)


def towers(log: Log, dimensions: int, dropout: float, seed: int) -> Any:
    """The network, a tf.Module. The place after the last item stands for none."""
    import tensorflow as tf

    count, known = len(log.items), log.attributes.shape[1]

    class Towers(tf.Module):  # type: ignore[misc] # TensorFlow publishes no types
        def __init__(self) -> None:
            super().__init__()
            self.count = count
            random = tf.random.Generator.from_seed(seed)

            def weights(*shape: int) -> Any:
                return tf.Variable(random.normal(shape) / shape[0] ** 0.5)

            self.embed = tf.Variable(random.normal([count, dimensions]) * 0.1)
            self.describe = weights(known, dimensions)
            self.attributes = tf.constant(log.attributes)
            self.age = tf.Variable(tf.linspace(-2.0, 0.0, HISTORY))
            self.item_in, self.item_out = weights(dimensions, 2 * dimensions), weights(2 * dimensions, dimensions)
            self.user_in, self.user_out = weights(2 * dimensions, 2 * dimensions), weights(2 * dimensions, dimensions)
            self.user_bias = tf.Variable(tf.zeros([2 * dimensions]))
            self.item_bias = tf.Variable(tf.zeros([2 * dimensions]))
            self.liked = tf.Variable(tf.zeros([count]))
            ids = tf.constant([item.id for item in log.items])
            places = tf.lookup.KeyValueTensorInitializer(ids, tf.range(count))
            self.table = tf.lookup.StaticHashTable(places, NOTHING)

        def met(self) -> Any:
            """Every item as both towers meet it (items, dimensions)."""
            return self.embed + self.attributes @ self.describe

        def item(self, places: Any) -> Any:
            """The item tower: vectors (items, dimensions), and how liked each is by everybody (items)."""
            hidden = tf.nn.relu(tf.gather(self.met(), places) @ self.item_in + self.item_bias)
            return hidden @ self.item_out, tf.gather(self.liked, places)

        def user(self, history: Any, training: bool = False) -> Any:
            """The user tower: (B, HISTORY) places, NOTHING where there is none → (B, dimensions)."""
            there = tf.cast(history != NOTHING, tf.float32)[..., None]
            met = tf.gather(self.met(), tf.maximum(history, 0)) * there
            mean = tf.reduce_sum(met, 1) / tf.maximum(tf.reduce_sum(there, 1), 1.0)
            weight = there * tf.exp(self.age)[:, None]
            recent = tf.reduce_sum(met * weight, 1) / tf.maximum(tf.reduce_sum(weight, 1), 1e-6)
            read = tf.concat([mean, recent], 1)
            if training:
                read = tf.nn.dropout(read, dropout)
            return tf.nn.relu(read @ self.user_in + self.user_bias) @ self.user_out

        @tf.function(input_signature=[tf.TensorSpec([None, HISTORY], tf.int32)])  # type: ignore[untyped-decorator] # as above
        def scores(self, history: Any) -> Any:
            items, liked = self.item(tf.range(count))
            return tf.nn.softmax(tf.matmul(self.user(history), items, transpose_b=True) + liked)

        @tf.function(input_signature=[tf.TensorSpec([None, HISTORY], tf.string, "history")])  # type: ignore[untyped-decorator] # as above
        def serve(self, history: Any) -> Any:
            """Unknown ids are passed over, as nothing is."""
            return {"scores": self.scores(self.table.lookup(history))}

    return Towers()

"""Learns an upload: split, prepare, fit, cross-validate, export, judge. A recipe brings the network's body."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import calibrating, comparing, fitting, judging
from marketplace.training.recipes.course import course
from marketplace.training.recipes.materials.material import Material, Prepared, Rows, Truth, parts, split
from marketplace.training.recipes.materials.registry import opened
from marketplace.training.recipes.recipe import Clock, Outcome, Progress, Report, TableRecipe, TableWork, choose

BATCH = 32
Parts = tuple[Rows, Rows]  # for learning, and for validation
Answers = Callable[
    [Mapping[str, Any]], Mapping[str, Any]
]  # TensorFlow: what `ready` gives → what the signature answers


@dataclass(frozen=True, slots=True)
class How:
    """The recipe with its knobs, and what the run allows."""

    recipe: TableRecipe
    chosen: Mapping[str, Any]
    report: Report
    clock: Clock

    @property
    def epochs(self) -> int:
        """At most."""
        return int(self.chosen["epochs"])

    @property
    def seed(self) -> int:
        """Of the split and of all chance."""
        return int(self.chosen["seed"])


def train(
    work: TableWork, recipe: TableRecipe, params: Mapping[str, Any], report: Report, out: Path, clock: Clock
) -> Outcome:
    """Trains, writes a SavedModel to `out`, loads it again and judges that. Raises ValueError for what cannot be learnt.

    It goes on from the checkpoint where there is one, and ends when the clock says so.
    """
    started = time.monotonic()
    how = How(recipe, choose(params, recipe.KNOBS), report, clock)
    epochs, seed = how.epochs, how.seed
    report(Progress("loading data", 0, epochs))
    given = opened(work)
    truth = given.truth
    fitting.begin(seed)
    learn, check, test = split(truth, truth.rows, seed)
    prepared = given.prepare(learn)
    metric = "accuracy" if truth.labels else "mean_absolute_error"
    said = fitting.progress_callback(report, epochs, metric)
    model = _fit(truth, prepared, (learn, check), how, Path(work.checkpoints), 1 / (1 + work.folds), said)
    folds = (_fold(given, test, at, work.folds, how) for at in range(work.folds))
    cross = [found for found in folds if found is not None]
    report(Progress("exporting", epochs, epochs))
    serve, outputs = _export(model, prepared, truth, (learn, check), how, out)
    report(Progress("evaluating", epochs, epochs))
    answers, true = serve(prepared.raw(test)), truth.values[test]
    metrics = _judge(answers, true, truth.labels)
    checked = _judge(serve(prepared.raw(check)), truth.values[check], truth.labels)

    def row(at: int) -> dict[str, Any]:
        one = int(test[at])
        return {"row": given.row(one), **({"picture": picture} if (picture := given.picture(one)) else {})}

    evaluation = (
        judging.classes(answers, true, truth.labels, row) if truth.labels else judging.numbers(answers[:, 0], true, row)
    )
    if work.folds:
        evaluation["folds"] = cross
    if work.before and (found := comparing.compare(Path(work.before), work.task, given, prepared, test, answers, row)):
        evaluation["before"] = found
    known = truth.values[learn]
    return Outcome(
        ModelSpec(
            prepared.inputs,
            outputs,
            truth.labels,
            prepared.features(),
            tuple(prepared.example(int(one)) for one in test[:4]),
        ),
        metrics,
        fitting.majority(known, true) if truth.labels else fitting.mean(known, true),
        {
            "rows": [len(part) for part in (learn, check, test)],
            "unit": given.unit,
            "without_target": given.total - len(truth.rows),
            "parameters": int(model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
        evaluation,
        checked,
    )


def _fold(given: Material, test: Rows, at: int, folds: int, how: How) -> dict[str, float] | None:
    """The metrics on one of so many parts of all rows but the test's, fitted on the others. None when time is over."""
    import keras

    share, phase = (at + 2) / (folds + 1), f"cross-validation {at + 1} / {folds}"
    if how.clock.over(share):
        return None
    how.report(Progress(phase, 0, how.epochs))
    truth = given.truth
    others, part = parts(truth, np.setdiff1d(truth.rows, test), folds, how.seed)[at]
    learn, check, _ = split(truth, others, how.seed)
    prepared = given.prepare(learn)
    # Reports as it goes, so that nobody takes a long fold for a dead process.
    said = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: how.report(Progress(phase, epoch + 1, how.epochs))
    )
    model = _fit(truth, prepared, (learn, check), how, None, share, said)
    answers = model.predict(_ready(prepared, part), verbose=0)
    return _judge(answers, truth.values[part], truth.labels)


def _judge(answers: NDArray[np.float32], truth: NDArray[Any], labels: tuple[str, ...]) -> dict[str, float]:
    if not labels:
        return fitting.judge_numbers(answers[:, 0], truth)
    found = fitting.judge(answers, truth) | {"macro_f1": fitting.macro_f1(answers.argmax(1), truth)}
    return found | (calibrating.judge(answers[:, 1], truth) if len(labels) == 2 else {})


def _fit(
    truth: Truth, prepared: Prepared, learnt: Parts, how: How, checkpoints: Path | None, share: float, said: Any
) -> Any:
    """The network with its best weights."""
    learn, check = learnt
    model = network(truth, prepared, learn, how)
    mine = course(checkpoints, how.clock, share)
    done = mine.begin(model)
    if done < how.epochs and not (done and mine.over):
        model.fit(
            _ready(prepared, learn),
            truth.values[learn],
            validation_data=(_ready(prepared, check), truth.values[check]),
            epochs=how.epochs,
            initial_epoch=done,
            batch_size=BATCH if len(learn) < 20_000 else 8 * BATCH,
            verbose=0,
            callbacks=[mine, said],
        )
    if mine.weights:
        model.set_weights(mine.weights)
    return model


def network(truth: Truth, prepared: Prepared, learn: Rows, how: How) -> Any:
    """The recipe's network, ready to be fitted."""
    import keras

    inputs = prepared.entries()
    head: Callable[[Any, Truth, Rows], Any] = getattr(how.recipe, "head", _head)
    model = keras.Model(inputs, head(how.recipe.body(inputs, prepared, how.chosen), truth, learn))
    loss = "sparse_categorical_crossentropy" if truth.labels else "mean_squared_error"
    metric = "accuracy" if truth.labels else "mean_absolute_error"
    model.compile(keras.optimizers.Adam(how.chosen["learning_rate"]), loss, metrics=[metric], jit_compile=False)
    return model


def _ready(prepared: Prepared, rows: Rows) -> dict[str, Any]:
    return {name: np.asarray(array) for name, array in prepared.ready(**prepared.raw(rows)).items()}


def _head(hidden: Any, truth: Truth, learn: Rows) -> Any:
    import keras

    if truth.labels:
        return keras.layers.Dense(len(truth.labels), "softmax")(hidden)
    # The network learns a standardised number, and the last layer puts it into its unit.
    known = truth.values[learn]
    unit = keras.layers.Rescaling(float(known.std()) or 1.0, float(known.mean()))
    return unit(keras.layers.Dense(1)(hidden))


def _export(
    model: Any, prepared: Prepared, truth: Truth, learnt: Parts, how: How, out: Path
) -> tuple[Callable[..., NDArray[np.float32]], tuple[Tensor, ...]]:
    """Writes the SavedModel, which takes raw rows; its signature as loaded again, and its outputs, the answer first."""
    import keras
    import tensorflow as tf

    outputs = fitting.probabilities_of(truth.labels) if truth.labels else (Tensor("value", "float32", (None, 1)),)
    gives = outputs[0].name
    answers: Answers = lambda ready: {gives: model(ready, training=False)}  # noqa: E731 – replaced by the recipe's
    if special := getattr(how.recipe, "answers", None):
        answers, more = special(model, prepared, truth, learnt)
        outputs += more
    names = [tensor.name for tensor in prepared.inputs]
    types = {"float32": tf.float32, "str": tf.string}
    archive = keras.export.ExportArchive()
    archive.track(model)
    if prepared.kept is not None:
        archive.track(prepared.kept)
    archive.add_endpoint(
        "serve",
        lambda *raw: answers(prepared.ready(**dict(zip(names, raw, strict=True)))),
        input_signature=[tf.TensorSpec(t.shape, types[t.dtype], name=t.name) for t in prepared.inputs],
    )
    archive.write_out(str(out), verbose=False)
    loaded = tf.saved_model.load(str(out))
    signature = loaded.signatures["serving_default"]
    signature.kept = loaded  # the signature's variables die with what they were loaded with

    def serve(raw: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        return np.concatenate(
            [
                signature(**{name: tf.constant(array[at : at + 512]) for name, array in raw.items()})[gives].numpy()
                for at in range(0, len(next(iter(raw.values()))), 512)
            ]
        )

    return serve, outputs

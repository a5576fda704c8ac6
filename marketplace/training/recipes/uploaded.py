"""Learns an uploaded table: split, prepare, fit, cross-validate, export, judge. A recipe brings the network's body."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import fitting, judging, preparing
from marketplace.training.recipes.course import course
from marketplace.training.recipes.datasets.profile import CATEGORY, CLASSIFICATION, NUMBER, kind_of
from marketplace.training.recipes.datasets.reading import Sheet, Unreadable, read, records
from marketplace.training.recipes.preparing import Preparation
from marketplace.training.recipes.recipe import Clock, Outcome, Progress, Report, TableWork

Rows = NDArray[np.int64]
Body = Callable[[Any], Any]  # the network between its input, one row of numbers, and its last layer
LEAST_ROWS = 30  # with a target
LEAST_OF_A_CLASS = 5
EMBEDDED_FROM = 14  # categories that are so many get vectors instead of a column each
BATCH = 32


@dataclass(frozen=True, slots=True)
class Question:
    """The table, the columns to learn from and their kinds, the rows that have a target, and the targets."""

    sheet: Sheet
    names: tuple[str, ...]
    kinds: Mapping[str, str]
    rows: Rows
    truth: NDArray[Any]  # of all rows: a label's number, or the number
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class How:
    """What the recipe brings, and what the run allows."""

    body: Body
    rate: float
    epochs: int
    seed: int
    report: Report
    clock: Clock


def ask(work: TableWork) -> Question:
    """What the work asks. Raises ValueError where that cannot be learnt."""
    try:
        sheet = read(Path(work.path), work.form)
    except (Unreadable, OSError) as error:
        raise ValueError(f"the table cannot be read any more: {error}") from error
    columns = dict(zip(sheet.names, sheet.columns, strict=True))
    if work.target not in columns:
        raise ValueError(f"the table has no column {work.target!r}")
    kinds = {name: kind_of(name, cells) for name, cells in columns.items()}
    names = [name for name in sheet.names if name != work.target and name not in work.leave_out]
    names = [name for name in names if kinds[name] in (NUMBER, CATEGORY)]
    cells = columns[work.target]
    rows = np.asarray([at for at, cell in enumerate(cells) if cell], np.int64)
    if len(rows) < LEAST_ROWS:
        raise ValueError(f"{len(rows)} rows say what {work.target} is: training needs {LEAST_ROWS} at least")
    if work.task != CLASSIFICATION:
        truth = np.asarray([float(cell) if cell else np.nan for cell in cells], np.float32)
        return Question(sheet, tuple(names), kinds, rows, truth, ())
    counts = Counter(filter(None, cells))
    few = [label for label, count in counts.items() if count < LEAST_OF_A_CLASS]
    if few:
        raise ValueError(
            f"{few[0]!r} of {work.target} is in fewer than {LEAST_OF_A_CLASS} rows: bring more, or leave them out"
        )
    labels = tuple(sorted(counts))
    if len(labels) < 2:
        raise ValueError(f"{work.target} is the same in every row: there is nothing to learn")
    number = {label: at for at, label in enumerate(labels)}
    return Question(sheet, tuple(names), kinds, rows, np.asarray([number.get(cell, -1) for cell in cells]), labels)


def train(work: TableWork, how: How, out: Path) -> Outcome:
    """See recipe.TableRecipe."""
    started = time.monotonic()
    report, epochs, seed = how.report, how.epochs, how.seed
    report(Progress("loading data", 0, epochs))
    question = ask(work)
    fitting.begin(seed)
    learn, check, test = split(question, question.rows, seed)
    prepared = preparing.fit(question.sheet, question.kinds, question.names, learn)
    metric = "accuracy" if question.labels else "mean_absolute_error"
    said = fitting.progress_callback(report, epochs, metric)
    network = _fit(question, prepared, (learn, check), how, Path(work.checkpoints), 1 / (1 + work.folds), said)
    folds = (_fold(question, test, at, work.folds, how) for at in range(work.folds))
    cross = [found for found in folds if found is not None]
    report(Progress("exporting", epochs, epochs))
    serve = export(network, prepared, bool(question.labels), out)
    report(Progress("evaluating", epochs, epochs))
    answers, truth = serve(prepared.raw(question.sheet, test)), question.truth[test]
    metrics = _judge(answers, truth, question.labels)
    checked = _judge(serve(prepared.raw(question.sheet, check)), question.truth[check], question.labels)

    def row(at: int) -> dict[str, str]:
        return next(records(question.sheet, [int(test[at])]))

    evaluation = (
        judging.classes(answers, truth, question.labels, row)
        if question.labels
        else judging.numbers(answers[:, 0], truth, row)
    )
    if work.folds:
        evaluation["folds"] = cross
    known = question.truth[learn]
    features = prepared.features()
    return Outcome(
        ModelSpec(
            prepared.inputs,
            fitting.probabilities_of(question.labels) if question.labels else (Tensor("value", "float32", (None, 1)),),
            question.labels,
            features,
            tuple({"features": _example(row(at), prepared)} for at in range(min(4, len(test)))),
        ),
        metrics,
        fitting.majority(known, truth) if question.labels else fitting.mean(known, truth),
        {
            "rows": [len(part) for part in (learn, check, test)],
            "without_target": question.sheet.rows - len(question.rows),
            "parameters": int(network.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
        evaluation,
        checked,
    )


def split(question: Question, rows: Rows, seed: int) -> tuple[Rows, Rows, Rows]:
    """Rows for learning, validation and the test, 60 : 20 : 20, by the seed; each class in its share."""
    from sklearn.model_selection import train_test_split

    def cut(rows: Rows, share: float) -> list[Rows]:
        by = question.truth[rows] if question.labels else None
        found: list[Rows] = train_test_split(rows, test_size=share, random_state=seed, stratify=by)
        return found

    rest, test = cut(rows, 0.2)
    learn, check = cut(rest, 0.25)
    return learn, check, test


def _fold(question: Question, test: Rows, at: int, folds: int, how: How) -> dict[str, float] | None:
    """The metrics on one of so many parts of all rows but the test's, fitted on the others. None when time is over."""
    import keras
    from sklearn.model_selection import KFold, StratifiedKFold

    share, phase = (at + 2) / (folds + 1), f"cross-validation {at + 1} / {folds}"
    if how.clock.over(share):
        return None
    how.report(Progress(phase, 0, how.epochs))
    rest = np.setdiff1d(question.rows, test)
    kind = StratifiedKFold if question.labels else KFold
    parts = list(kind(folds, shuffle=True, random_state=how.seed).split(rest, question.truth[rest]))
    others, part = rest[parts[at][0]], rest[parts[at][1]]
    learn, check, _ = split(question, others, how.seed)
    prepared = preparing.fit(question.sheet, question.kinds, question.names, learn)
    # Reports as it goes, so that nobody takes a long fold for a dead process.
    said = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: how.report(Progress(phase, epoch + 1, how.epochs))
    )
    network = _fit(question, prepared, (learn, check), how, None, share, said)
    answers = network.predict(_ready(prepared, question.sheet, part), verbose=0)
    return _judge(answers, question.truth[part], question.labels)


def _judge(answers: NDArray[np.float32], truth: NDArray[Any], labels: tuple[str, ...]) -> dict[str, float]:
    return fitting.judge(answers, truth) if labels else fitting.judge_numbers(answers[:, 0], truth)


def _fit(
    question: Question,
    prepared: Preparation,
    parts: tuple[Rows, Rows],
    how: How,
    checkpoints: Path | None,
    share: float,
    said: Any,
) -> Any:
    """The network with its best weights; `parts` are for learning and for validation."""
    learn, check = parts
    network = _network(question, prepared, how.body, question.truth[learn])
    loss = "sparse_categorical_crossentropy" if question.labels else "mean_squared_error"
    metric = "accuracy" if question.labels else "mean_absolute_error"
    import keras

    network.compile(keras.optimizers.Adam(how.rate), loss, metrics=[metric], jit_compile=False)
    mine = course(checkpoints, how.clock, share)
    done = mine.begin(network)
    if done < how.epochs and not (done and mine.over):
        network.fit(
            _ready(prepared, question.sheet, learn),
            question.truth[learn],
            validation_data=(_ready(prepared, question.sheet, check), question.truth[check]),
            epochs=how.epochs,
            initial_epoch=done,
            batch_size=BATCH if len(learn) < 20_000 else 8 * BATCH,
            verbose=0,
            callbacks=[mine, said],
        )
    if mine.weights:
        network.set_weights(mine.weights)
    return network


def _ready(prepared: Preparation, sheet: Sheet, rows: Rows) -> dict[str, Any]:
    return {name: array.numpy() for name, array in prepared.ready(**prepared.raw(sheet, rows)).items()}


def _network(question: Question, prepared: Preparation, body: Body, known: NDArray[Any]) -> Any:
    import keras

    inputs, parts = {}, []
    if prepared.numbers:
        inputs["measures"] = keras.Input((prepared.measures,), name="measures")
        parts.append(inputs["measures"])
    if prepared.categories:
        ids = inputs["ids"] = keras.Input((len(prepared.categories),), dtype="int32", name="ids")
        for at, one in enumerate(prepared.categories):
            if one.depth < EMBEDDED_FROM:
                parts.append(keras.ops.one_hot(ids[:, at], one.depth))
            else:
                parts.append(keras.layers.Embedding(one.depth, min(16, round(one.depth**0.5)))(ids[:, at]))
    hidden = body(keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0])
    if question.labels:
        last = keras.layers.Dense(len(question.labels), "softmax")(hidden)
    else:  # the network learns a standardised number, and the last layer puts it into its unit
        unit = keras.layers.Rescaling(float(known.std()) or 1.0, float(known.mean()))
        last = unit(keras.layers.Dense(1)(hidden))
    return keras.Model(inputs, last)


def export(network: Any, prepared: Preparation, classes: bool, out: Path) -> Callable[..., NDArray[np.float32]]:
    """Writes the SavedModel, which takes raw rows, and gives its signature as loaded again."""
    import keras
    import tensorflow as tf

    gives = "probabilities" if classes else "value"
    names = [tensor.name for tensor in prepared.inputs]
    types = {"float32": tf.float32, "str": tf.string}
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint(
        "serve",
        lambda *raw: {gives: network(prepared.ready(**dict(zip(names, raw, strict=True))), training=False)},
        input_signature=[tf.TensorSpec(t.shape, types[t.dtype], name=t.name) for t in prepared.inputs],
    )
    archive.write_out(str(out), verbose=False)
    loaded = tf.saved_model.load(str(out))
    signature = loaded.signatures["serving_default"]
    signature.kept = loaded  # the signature's variables die with what they were loaded with

    def serve(raw: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        given = {name: tf.constant(array) for name, array in raw.items()}
        found: NDArray[np.float32] = signature(**given)[gives].numpy()
        return found

    return serve


def _example(row: Mapping[str, str], prepared: Preparation) -> dict[str, Any]:
    """A row as the interface takes it; what is missing is left out."""
    numbers = {one.name for one in prepared.numbers}
    return {name: float(row[name]) if name in numbers else row[name] for name in prepared.order if row[name]}

"""What Keras recipes share: seeds, progress while fitting, judging probabilities, export."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import Tensor
from marketplace.training.recipes.recipe import Progress, Report

REPORT_EVERY_S = 0.4


def begin(seed: int) -> None:
    """Seeds Python, NumPy and TensorFlow: the same seed gives the same weights."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def progress_callback(report: Report, epochs: int, metric: str) -> Any:
    """A Keras callback that reports each epoch, and in between a few times a second."""
    import keras

    class Reporting(keras.callbacks.Callback):  # type: ignore[misc] # keras publishes no types
        def on_train_begin(self, logs: Any = None) -> None:
            self.started = self.reported = time.monotonic()
            self.epoch = 0
            self.loss: float | None = None
            self.value: float | None = None

        def tell(self, done: float, ended: bool = False) -> None:
            self.reported = time.monotonic()
            # The first epoch also builds the graph: what it took says little about the others.
            eta = (self.reported - self.started) / done * (epochs - done) if done >= 1 else None
            report(Progress("training", self.epoch, epochs, self.loss, metric, self.value, eta, ended))

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch + 1

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if time.monotonic() - self.reported >= REPORT_EVERY_S:
                self.loss = float(logs["loss"])
                self.tell(self.epoch - 1 + (batch + 1) / max(self.params["steps"] or 1, 1))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.loss, self.value = float(logs["loss"]), float(logs.get(f"val_{metric}", float("nan")))
            self.tell(epoch + 1, ended=True)

    return Reporting()


def judge(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> dict[str, float]:
    """Accuracy, log loss and, for two classes, the area under the ROC curve (probability of label 1)."""
    from sklearn.metrics import log_loss, roc_auc_score

    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    found = {
        "accuracy": float((exact.argmax(1) == truth).mean()),
        "log_loss": float(log_loss(truth, exact, labels=list(range(exact.shape[1])))),
    }
    if exact.shape[1] == 2:
        found["auc"] = float(roc_auc_score(truth, exact[:, 1]))
    return found


def macro_f1(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """The F1 score of each class, and of those the mean."""
    from sklearn.metrics import f1_score

    return float(f1_score(truth, found, average="macro", zero_division=0))


def judge_numbers(found: NDArray[np.float32], truth: NDArray[np.float32]) -> dict[str, float]:
    """R² (1 − the squared errors' share of the truth's variance), root mean squared error and mean absolute error."""
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    return {
        "r2": float(r2_score(truth, found)),
        "rmse": float(root_mean_squared_error(truth, found)),
        "mae": float(mean_absolute_error(truth, found)),
    }


def mean(train: NDArray[np.float32], test: NDArray[np.float32]) -> dict[str, float]:
    """What always answering the training split's mean would reach."""
    return judge_numbers(np.full_like(test, train.mean()), test)


def majority(train: NDArray[np.int64], test: NDArray[np.int64]) -> dict[str, float]:
    """What always answering the commonest label of the training split would reach."""
    return {"accuracy": float((test == np.bincount(train).argmax()).mean())}


def export(
    model: Any,
    name: str,
    shape: tuple[int | None, ...],
    out: Path,
    gives: str | Callable[[Any], Mapping[str, Any]] = "probabilities",
) -> Callable[..., Mapping[str, Any]]:
    """Writes the model's SavedModel and gives its signature as loaded again: what is judged is what is served.

    `gives` names what the model answers, or makes named answers of it.
    """
    import keras
    import tensorflow as tf

    named = gives if callable(gives) else lambda answer: {gives: answer}
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve",
        lambda given: named(model(given, training=False)),
        input_signature=[tf.TensorSpec(shape, tf.float32, name=name)],
    )
    archive.write_out(str(out), verbose=False)
    loaded = tf.saved_model.load(str(out))
    signature = loaded.signatures["serving_default"]
    signature.kept = loaded  # the signature's variables die with what they were loaded with
    return lambda rows: signature(**{name: tf.constant(rows)})


def probabilities_of(labels: tuple[str, ...]) -> tuple[Tensor, ...]:
    """The output of a classifier."""
    return (Tensor("probabilities", "float32", (None, len(labels))),)

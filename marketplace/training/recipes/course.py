"""How a fit goes on after a crash and when it ends: a checkpoint an epoch, early stopping, the budget."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from marketplace.training.recipes.recipe import Clock

FILE = "course.npz"
PATIENCE = 12  # epochs without a lower loss on the validation split


def spent_s(checkpoints: Path) -> float:
    """Seconds of compute that the work in the checkpoint took; 0 without one."""
    told = _told(checkpoints)
    return float(told["used_s"]) if told else 0.0


def course(checkpoints: Path | None, clock: Clock, share: float) -> Any:
    """A Keras callback. `begin(model)` gives the epoch to go on after; the best weights are the model's at the end.

    Without a folder nothing is kept. `share` of the budget: it ends when that is used.
    """
    import keras

    class Course(keras.callbacks.Callback):  # type: ignore[misc] # keras publishes no types
        def __init__(self) -> None:
            super().__init__()
            self.best, self.waited, self.done = float("inf"), 0, 0
            self.weights: list[Any] = []

        def begin(self, model: Any) -> int:
            told = _told(checkpoints) if checkpoints else None
            if told and checkpoints:
                self.best, self.waited, self.done = told["best"], told["waited"], told["epoch"]
                with np.load(checkpoints / FILE) as kept:
                    model.set_weights([kept[f"now{at}"] for at in range(told["weights"])])
                    self.weights = [kept[f"best{at}"] for at in range(told["weights"])]
                    model.optimizer.build(model.trainable_variables)
                    for at, variable in enumerate(model.optimizer.variables):
                        variable.assign(kept[f"optimizer{at}"])
            return self.done

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if clock.over(share):
                self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            loss = float(logs["val_loss"])
            if not math.isfinite(loss):
                raise ValueError("the loss is not a number any more: choose a lower learning rate")
            self.done, self.waited = epoch + 1, self.waited + 1
            if loss < self.best or not self.weights:
                self.best, self.waited, self.weights = loss, 0, self.model.get_weights()
            if self.waited >= PATIENCE or clock.over(share):
                self.model.stop_training = True
            if checkpoints:
                self.keep(checkpoints)

        def keep(self, folder: Path) -> None:
            now = self.model.get_weights()
            told = {
                "epoch": self.done,
                "best": self.best,
                "waited": self.waited,
                "weights": len(now),
                "used_s": clock.used_s(),
            }
            folder.mkdir(parents=True, exist_ok=True)
            building = folder / f".{FILE}"
            with building.open("wb") as file:
                arrays: dict[str, Any] = {f"now{at}": one for at, one in enumerate(now)}
                arrays |= {f"best{at}": one for at, one in enumerate(self.weights)}
                arrays |= {f"optimizer{at}": np.asarray(one) for at, one in enumerate(self.model.optimizer.variables)}
                np.savez(file, told=np.asarray(json.dumps(told)), **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(building, folder / FILE)

        @property
        def over(self) -> bool:
            """Whether a fit that goes on from here would end at once."""
            return self.waited >= PATIENCE or clock.over(share)

    return Course()


def _told(folder: Path) -> dict[str, Any] | None:
    try:
        with np.load(folder / FILE) as kept:
            told: dict[str, Any] = json.loads(str(kept["told"]))
            return told
    except (OSError, ValueError, KeyError, EOFError):
        return None

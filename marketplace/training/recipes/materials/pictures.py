"""Pictures as what a recipe learns from: all of one size, their colours normalised by the training split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks import pictures as seen
from marketplace.tasks.task import Feature, Tensor
from marketplace.training.recipes.datasets.album import LeftOut, read
from marketplace.training.recipes.datasets.album_profile import TARGET, fingerprint
from marketplace.training.recipes.datasets.reading import Unreadable
from marketplace.training.recipes.materials import material
from marketplace.training.recipes.materials.choices import Choices, choices
from marketplace.training.recipes.materials.material import Rows, Truth
from marketplace.training.recipes.recipe import TableWork

SHIFT, TURN = 0.1, 0.05  # of a side, and of a full turn


@dataclass(frozen=True, slots=True)
class Pictures:
    """An album, its pictures as the signature takes them."""

    names: tuple[str, ...]
    pixels: NDArray[np.uint8]  # (n, side, side, channels)
    truth: Truth
    chosen: Choices
    unit = "images"

    @property
    def total(self) -> int:
        """See Material."""
        return len(self.names)

    def prepare(self, learn: Rows) -> Seeing:
        """See Material."""
        if self.chosen.scale == "none":
            zeros = np.zeros(self.pixels.shape[-1], np.float32)
            return Seeing(self.pixels, self.chosen, zeros, zeros + 1)
        known = self.pixels[learn].reshape(-1, self.pixels.shape[-1]).astype(np.float64) / 255
        return Seeing(self.pixels, self.chosen, known.mean(0), np.maximum(known.std(0), 1e-3))

    def row(self, row: int) -> dict[str, str]:
        """See Material."""
        return {"file": self.names[row]}

    def picture(self, row: int) -> str:
        """See Material."""
        return _png(self.pixels[row])


@dataclass(frozen=True, slots=True)
class Seeing:
    """What was fitted: of each colour its mean and deviation."""

    pixels: NDArray[np.uint8]
    chosen: Choices
    mean: NDArray[Any]
    deviation: NDArray[Any]
    kept = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """See Prepared."""
        return (Tensor("image", "float32", (None, *self.pixels.shape[1:])),)

    def features(self) -> tuple[Feature, ...]:
        """See Prepared: a picture has no columns."""
        return ()

    def raw(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """See Prepared."""
        return {"image": self.pixels[rows].astype(np.float32) / np.float32(255)}

    def ready(self, **raw: Any) -> dict[str, Any]:
        """See Prepared: `pixels` (B, side, side, channels)."""
        return {"pixels": (raw["image"] - np.float32(self.mean)) / np.float32(self.deviation)}

    def entries(self) -> dict[str, Any]:
        """See Prepared."""
        import keras

        return {"pixels": keras.Input(self.pixels.shape[1:], name="pixels")}

    def changed(self, pixels: Any) -> Any:
        """Keras: the pictures changed at random as was chosen, while they are learnt from; as they are when served."""
        import keras

        layers = {
            "flip": lambda: keras.layers.RandomFlip("horizontal"),
            "shift": lambda: keras.layers.RandomTranslation(SHIFT, SHIFT, "nearest"),
            "turn": lambda: keras.layers.RandomRotation(TURN, "nearest"),
        }
        for name in self.chosen.augment:
            pixels = layers[name]()(pixels)
        return pixels

    def example(self, row: int) -> dict[str, Any]:
        """See Prepared."""
        return {"image": _png(self.pixels[row])}


def _png(pixels: NDArray[np.uint8]) -> str:
    return "data:image/png;base64," + seen.png(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def pictures(work: TableWork) -> Pictures:
    """What the work asks. Raises ValueError where that cannot be learnt. Pictures without any colour have one channel."""
    chosen = choices(work.choices)
    names, labels, marks, made, coloured = [], [], [], [], False
    try:
        for one in read(Path(work.path)):
            if isinstance(one, LeftOut):
                continue
            names.append(one.name)
            labels.append(one.label)
            marks.append((fingerprint(one.image), one.label))
            pixels = (seen.pixels(one.image, chosen.side, chosen.side, 3) * 255).round().astype(np.uint8)
            coloured = coloured or bool(
                (pixels[..., 0] != pixels[..., 1]).any() or (pixels[..., 1] != pixels[..., 2]).any()
            )
            made.append(pixels)
    except (Unreadable, OSError) as error:
        raise ValueError(f"the archive cannot be read any more: {error}") from error
    cells = material.once(labels, marks) if chosen.once else labels
    stacked = np.stack(made) if made else np.zeros((0, chosen.side, chosen.side, 3), np.uint8)
    truth = material.classes(cells, TARGET)
    return Pictures(tuple(names), stacked if coloured else stacked[..., :1], truth, chosen)

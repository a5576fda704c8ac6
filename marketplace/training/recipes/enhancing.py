"""What recipes that better pictures share: pixels as numbers and back, and how near a picture is to the right one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.training.recipes.datasets.photographs import Pixels


def unit(images: Pixels) -> NDArray[np.float32]:
    """From 0 to 1."""
    return images.astype(np.float32) / np.float32(255)


def levels(images: NDArray[np.float32]) -> Pixels:
    """From 0 to 255."""
    return (images.clip(0, 1) * 255).round().astype(np.uint8)


def psnr() -> Any:
    """A metric for Keras, in dB."""
    import tensorflow as tf

    def psnr(truth: Any, found: Any) -> Any:
        return tf.image.psnr(truth, found, 1.0)

    return psnr


def compare(found: Pixels, truth: Pixels) -> dict[str, float]:
    """Means over the patches: the peak signal-to-noise ratio in dB, and the structural similarity (Wang et al. 2004)."""
    import tensorflow as tf

    pair = tf.constant(found), tf.constant(truth)
    return {
        "psnr": float(np.mean(tf.image.psnr(*pair, 255).numpy())),
        "ssim": float(np.mean(tf.image.ssim(*pair, 255).numpy())),
    }

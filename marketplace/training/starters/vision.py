"""Starters that see."""

from __future__ import annotations

from marketplace.training.starters.starter import Starter

STARTERS = (
    Starter(
        name="digits",
        title="Handwritten digits",
        summary="Reads a handwritten digit from a drawing or a photo. Trained on 1,797 small scans.",
        task="image-classification",
        recipe="convolution",
        dataset="digits",
        prices={"image": "0.0002"},
        at_first=True,
        licence="Apache-2.0",
    ),
    Starter(
        name="enlarger",
        title="Picture enlarger",
        summary="Doubles a picture's width and height, sharper than interpolation does. Trained on two photographs.",
        task="image-enhancement",
        recipe="superresolution",
        dataset="photographs",
        prices={"image": "0.001"},
        licence="Apache-2.0",
    ),
)

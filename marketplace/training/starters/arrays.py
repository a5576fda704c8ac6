"""Starters that take and give arrays."""

from __future__ import annotations

from marketplace.training.starters.starter import Starter

STARTERS = (
    Starter(
        name="codes",
        title="Digit codes",
        summary="Makes eight numbers of a small drawing and the drawing of them again, and tells how unlike a digit it is.",
        task="tensor",
        recipe="dense_autoencoder",
        dataset="digits",
        prices={"row": "0.0001"},
        licence="Apache-2.0",
    ),
)

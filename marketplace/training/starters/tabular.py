"""Starters that read tables."""

from __future__ import annotations

from marketplace.training.starters.starter import Starter

STARTERS = (
    Starter(
        name="diagnosis",
        title="Breast-cancer screening demo",
        summary="Tells malignant from benign samples by 30 measurements of cell nuclei. Not for medical use.",
        task="tabular-classification",
        recipe="dense",
        dataset="breast-cancer",
        prices={"row": "0.0001"},
        at_first=True,
        licence="Apache-2.0",
    ),
    Starter(
        name="progression",
        title="Diabetes progression demo",
        summary="Estimates how far diabetes will be in a year, by ten measurements. Not for medical use.",
        task="tabular-regression",
        recipe="dense",
        dataset="diabetes",
        prices={"row": "0.0001"},
        licence="Apache-2.0",
        params={"units": 16, "epochs": 300, "dropout": 0.1},
    ),
    Starter(
        name="credit",
        title="Credit risk demo",
        summary="Gives the chance that a loan is not repaid, and the reasons. Applicants are generated. Not for credit decisions.",
        task="tabular-classification",
        recipe="additive",
        dataset="credit",
        prices={"row": "0.0001"},
        licence="Apache-2.0",
    ),
)

"""Applicants for a loan who do not exist, by a process that is written here.

Income is log-normal, what goes to debts already is a beta share of it, and late payments and a strained card go together
through a hidden carelessness. Whether somebody defaults is drawn with a chance that is known (`chance`), so that calibration
can be compared with the truth, not only with what happened. Age, sex, origin and address are no part of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketplace.training.recipes.datasets.splits import Table, split

APPLICANTS = 8_000
LABELS = ("repaid", "defaulted")
FEATURES = (
    "monthly income ($)", "debts (% of income)", "loan (% of yearly income)", "months to repay", "years in job",
    "late payments in two years", "card limit used (%)", "years of credit history", "savings (months of income)",
)  # fmt: skip


def credit(seed: int) -> Table:
    """8,000 applicants with nine features, about one in six of whom defaults."""
    random = np.random.default_rng(seed)
    careless = random.normal(size=APPLICANTS)
    columns = (
        np.exp(random.normal(8.15, 0.45, APPLICANTS)).round(-1),
        (100 * random.beta(2 + 0.3 * np.maximum(careless, 0), 5, APPLICANTS)).round(),
        np.exp(random.normal(3.1, 0.6, APPLICANTS)).clip(3, 150).round(),
        random.choice([12, 24, 36, 48, 60, 84], APPLICANTS, p=[0.1, 0.2, 0.3, 0.2, 0.15, 0.05]),
        random.gamma(1.4, 4.0, APPLICANTS).clip(0, 40).round(1),
        random.poisson(np.exp(-1.4 + 0.9 * careless)).clip(0, 12),
        (100 / (1 + np.exp(-(random.normal(-0.6, 1.1, APPLICANTS) + 0.7 * careless)))).round(),
        random.gamma(2.2, 4.0, APPLICANTS).clip(0, 45).round(1),
        random.gamma(0.9, 2.5, APPLICANTS).clip(0, 36).round(1),
    )
    x = np.stack(columns, 1).astype(np.float32)
    defaulted = (random.random(APPLICANTS) < chance(x)).astype(np.int64)
    return split(x, defaulted, LABELS, FEATURES, seed)


def chance(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """The true chance that an applicant defaults: it bends with every feature, and two of them make one another worse."""
    income, debts, loan, months, job, late, card, history, savings = x.astype(np.float64).T
    logit = (
        -3.4
        - 0.8 * np.tanh((np.log(income) - 8.15) / 0.5)
        + 2.4 / (1 + np.exp(-(debts - 42) / 6))
        + 0.9 * np.log(loan / 22)
        + 0.012 * (months - 36)
        + 1.1 * np.exp(-job / 2)
        + 1.2 * np.log1p(late)
        + 1.4 * (card / 100) ** 2
        + 0.8 * np.exp(-history / 3)
        - 0.9 * (1 - np.exp(-savings / 2))
        + 0.5 * (late > 1) * (card > 70)
    )
    found: NDArray[np.float64] = 1 / (1 + np.exp(-logit))
    return found

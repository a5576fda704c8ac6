"""Measurements that ship with scikit-learn."""

from __future__ import annotations

import numpy as np

from marketplace.training.recipes.datasets.splits import Table, split


def breast_cancer(seed: int) -> Table:
    """569 fine-needle aspirates, 30 measurements each, benign or malignant (UCI, by scikit-learn)."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return split(data.data.astype(np.float32), data.target, tuple(data.target_names), tuple(data.feature_names), seed)


def diabetes(seed: int) -> Table:
    """442 diabetes patients, ten measurements each, and how far the disease was a year later, 25 to 346 (scikit-learn)."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    names = {"bmi": "body mass index", "bp": "blood pressure", **{f"s{n}": name for n, name in enumerate(_SERUM, 1)}}
    features = tuple(names.get(name, name) for name in data.feature_names)
    return split(data.data.astype(np.float32), data.target.astype(np.float32), (), features, seed)


# In the order of s1 to s6, as the data set's description names them.
_SERUM = (
    "total cholesterol", "low-density lipoproteins", "high-density lipoproteins", "total cholesterol / HDL",
    "log of triglycerides", "blood sugar",
)  # fmt: skip

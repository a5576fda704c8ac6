"""Parts of a data set have nothing in common, so that the test split judges what was not seen."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from marketplace.training.recipes.datasets.catalogs import languages, translations
from marketplace.training.recipes.datasets.digits import digits
from marketplace.training.recipes.datasets.opinions import opinions
from marketplace.training.recipes.datasets.prose import pydoc_topics
from marketplace.training.recipes.datasets.splits import Table
from marketplace.training.recipes.datasets.tables import breast_cancer


@pytest.mark.parametrize("seed", range(1, 6))
def test_no_paragraph_of_prose_is_in_two_parts(seed: int) -> None:
    prose = pydoc_topics(seed)
    parts = [set(part.split("\n")) for part in (prose.train, prose.validation, prose.test)]
    assert all(parts)
    assert not any(one & other for one, other in combinations(parts, 2))
    assert len(prose.train) > 4 * len(prose.test)
    assert "don't" in prose.train, "apostrophes stay"


@pytest.mark.parametrize("load", [digits, breast_cancer])
def test_tables_are_split_whole_and_stratified(load: object) -> None:
    assert callable(load)
    table: Table = load(3)
    parts = (table.train, table.validation, table.test)
    rows = [{row.tobytes() for row in part.x} for part in parts]
    assert not any(one & other for one, other in combinations(rows, 2))
    shares = [np.bincount(part.y) / len(part.y) for part in parts]
    assert np.allclose(shares[0], shares[1], atol=0.02)
    assert np.allclose(shares[0], shares[2], atol=0.02)
    assert np.array_equal(load(3).test.x, table.test.x)
    assert not np.array_equal(load(4).test.x, table.test.x)


@pytest.mark.parametrize("load", [languages, opinions])
def test_a_text_is_in_one_part_only(load: Callable[[int], Table]) -> None:
    table = load(3)
    parts = (table.train, table.validation, table.test)
    texts = [set(zip(part.x, part.y, strict=True)) for part in parts]
    assert not any(one & other for one, other in combinations(texts, 2))
    assert [set(part.y) for part in parts] == [set(range(len(table.labels)))] * 3
    assert 0.7 < len(table.train.y) / sum(len(part.y) for part in parts) < 0.9
    assert list(load(3).test.x) == list(table.test.x)


def test_no_translation_is_in_two_parts() -> None:
    alike = translations(3)
    parts = [set(groups) for groups in (alike.train, alike.validation, alike.test)]
    assert not any(one & other for one, other in combinations(parts, 2))
    assert [len(parts[1]), len(parts[2])] == [100, 100]
    english = [{group[0] for group in part} for part in parts]
    assert not any(one & other for one, other in combinations(english, 2))

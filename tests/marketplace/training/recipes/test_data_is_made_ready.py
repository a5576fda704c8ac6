"""What becomes of raw cells is chosen, fitted on the training split alone, and exported with the model."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketplace.training.recipes.materials.choices import choices
from marketplace.training.recipes.materials.columns import Category, Number
from marketplace.training.recipes.materials.material import split
from marketplace.training.recipes.materials.table import Table, table
from marketplace.training.recipes.recipe import TableWork

ROWS = 100


def rows(changed: frozenset[int] = frozenset()) -> list[list[str]]:
    """Age with gaps and an outlier, a city, and who leaves; the changed rows are far off."""
    dice = random.Random(1)
    found = []
    for at in range(ROWS):
        age, city = dice.randint(20, 70), dice.choice(["Rome", "Oslo", "Lima"])
        leaves = "yes" if age > 45 else "no"
        shown = "" if at % 10 == 3 else str(1_000 if at == 50 else age)
        found.append(["99999", "Atlantis", leaves] if at in changed else [shown, city, leaves])
    return found


def uploaded(folder: Path, lines: list[list[str]], **asked: Any) -> Table:
    path = folder / "t.csv"
    path.write_text("age,city,leaves\n" + "".join(",".join(line) + "\n" for line in lines))
    told = {"target": "leaves", "task": "tabular-classification", "checkpoints": str(folder), **asked}
    return table(TableWork(path=str(path), form="csv", **told))


def fitted(made: Table) -> Number:
    (number,) = (one for one in made.prepare(np.arange(ROWS)).columns if isinstance(one, Number))
    return number


@pytest.mark.parametrize(
    "chosen",
    [{}, {"fill": "mean", "scale": "minmax"}, {"clip": True, "fill": "most_frequent", "gaps": False}],
    ids=["usual", "mean", "clipped"],
)
def test_statistics_do_not_change_when_test_rows_change(tmp_path: Path, chosen: Mapping[str, Any]) -> None:
    before = uploaded(tmp_path, rows(), choices=chosen)
    learn, check, test = split(before.truth, before.truth.rows, seed=1)
    assert (len(learn), len(check), len(test)) == (60, 20, 20)
    after = uploaded(tmp_path, rows(frozenset(map(int, test)) | frozenset(map(int, check))), choices=chosen)
    assert after.sheet.columns != before.sheet.columns
    assert before.prepare(learn).columns == after.prepare(learn).columns


def test_a_missing_number_becomes_what_was_chosen(tmp_path: Path) -> None:
    there = [float(age) for age, _, _ in rows() if age]
    commonest = max(sorted(set(there)), key=there.count)
    for fill, value in {"median": np.median(there), "mean": np.mean(there), "most_frequent": commonest}.items():
        found = fitted(uploaded(tmp_path, rows(), choices={"fill": fill}))
        assert (found.filled, found.gaps) == (pytest.approx(value), True)
    assert not fitted(uploaded(tmp_path, rows(), choices={"gaps": False})).gaps


def test_numbers_are_normalised_as_chosen_after_outliers_are_clipped(tmp_path: Path) -> None:
    there = np.asarray([float(age) for age, _, _ in rows() if age])
    usual = fitted(uploaded(tmp_path, rows())).scale
    assert (usual.shift, usual.width) == (pytest.approx(there.mean()), pytest.approx(there.std()))
    low, high = np.percentile(there, (1, 99))
    clipped = fitted(uploaded(tmp_path, rows(), choices={"clip": True, "scale": "minmax"})).scale
    assert (clipped.low, clipped.high) == (pytest.approx(low), pytest.approx(high))
    assert clipped.shift + clipped.width == pytest.approx(high)
    raw = fitted(uploaded(tmp_path, rows(), choices={"scale": "none"})).scale
    assert (raw.shift, raw.width) == (0, 1)


def test_what_is_there_twice_is_taken_once_before_the_split(tmp_path: Path) -> None:
    twice = [*rows(), *rows()[:20]]
    assert len(uploaded(tmp_path, twice).truth.rows) == 120
    distinct = len({tuple(row) for row in twice})
    assert len(uploaded(tmp_path, twice, choices={"once": True}).truth.rows) == distinct


def test_a_column_has_the_role_that_it_was_given(tmp_path: Path) -> None:
    made = uploaded(tmp_path, rows(), roles={"age": "category"}, leave_out=("city",)).prepare(np.arange(ROWS))
    (age,) = made.columns
    assert isinstance(age, Category)
    assert age.name == "age"
    with pytest.raises(ValueError, match="city"):
        uploaded(tmp_path, rows(), roles={"city": "number"})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"fill": "zero"}, "median"),
        ({"gaps": "yes"}, "true or false"),
        ({"x": 1}, "no way"),
        ({"augment": "flip"}, "list"),
    ],
    ids=str,
)
def test_a_choice_that_is_none_is_refused(given: Mapping[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        choices(given)

"""Raw tensors are taken as they are meant or refused: never cast to something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marketplace.errors import InputInvalid
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.tasks.tensor import as_array


@pytest.mark.parametrize(
    ("dtype", "data", "becomes"),
    [
        ("float32", [1, 2.5], [1.0, 2.5]),
        ("int64", [1, -2], [1, -2]),
        ("int32", [1.0, 2.0], [1, 2]),
        ("uint8", [0, 255], [0, 255]),
        ("bool", [True, False], [True, False]),
        ("str", ["a", "ü"], ["a", "ü"]),
    ],
)
def test_values_of_the_type_are_taken(dtype: str, data: list[Any], becomes: list[Any]) -> None:
    array = as_array(Tensor("x", dtype, (None,)), data, None, "/x")
    assert array.tolist() == becomes
    assert array.dtype == (object if dtype == "str" else np.dtype(dtype))


@pytest.mark.parametrize(
    ("dtype", "data"),
    [
        ("float32", ["1.5"]),
        ("float32", [None]),
        ("float32", [1e300]),
        ("float32", [{}]),
        ("float32", [True, False]),
        ("float32", [[1], [1, 2]]),
        ("int32", [1.5]),
        ("int32", [2**40]),
        ("int64", [2**70]),
        ("uint8", [-1]),
        ("bool", [1]),
        ("str", [1]),
        ("str", ["a", ["b"]]),
    ],
    ids=str,
)
def test_other_values_are_refused_with_their_place(dtype: str, data: Any) -> None:
    with pytest.raises(InputInvalid) as caught:
        as_array(Tensor("x", dtype, (None,)), data, None, "/input/inputs/x")
    assert caught.value.param == "/input/inputs/x"
    assert "x must be" in caught.value.message


@pytest.mark.parametrize("data", [[], [1.0], [[1.0]], [[1.0, 2.0, 3.0]], [[]], 5.0])
def test_a_wrong_shape_is_told_the_right_one(data: Any) -> None:
    with pytest.raises(InputInvalid, match=r"\[-1, 2\]"):
        as_array(Tensor("x", "float32", (None, 2)), data, None, "/x")


def test_flat_data_takes_its_shape() -> None:
    tensor = Tensor("x", "float32", (None, 2))
    assert as_array(tensor, [1, 2, 3, 4], [2, 2], "/x").tolist() == [[1, 2], [3, 4]]
    with pytest.raises(InputInvalid, match=r"shape \[3, 2\]"):
        as_array(tensor, [1, 2, 3, 4], [3, 2], "/x")


def test_inputs_of_unequal_rows_are_refused() -> None:
    spec = ModelSpec((Tensor("x", "float32", (None, 1)), Tensor("y", "float32", (None, 1))))
    with pytest.raises(InputInvalid) as caught:
        registry.get("tensor").codec.prepare({"inputs": {"x": [[1]], "y": [[1], [2]]}}, spec)
    assert caught.value.param == "/input/inputs"

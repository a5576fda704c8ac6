"""What a task answers is what its output schema says, and its units are the same by every protocol."""

from __future__ import annotations

import base64
import io
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from PIL import Image

from marketplace.errors import InputInvalid
from marketplace.tasks import registry
from marketplace.tasks.schema import Check
from marketplace.tasks.task import Feature, Item, ModelSpec, Tensor


def picture() -> str:
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


TASTE = ModelSpec(
    (Tensor("history", "str", (None, 4)),), items=(Item("a", "Apple"), Item("b", "Bread"), Item("c", "Cheese"))
)
SPECS = {
    "recommendation": TASTE,
    "ranking": TASTE,
    "image-classification": ModelSpec((Tensor("image", "float32", (None, 8, 8, 1)),), labels=("a", "b", "c")),
    "image-segmentation": ModelSpec((Tensor("image", "float32", (None, 8, 8, 3)),), labels=("ground", "cat")),
    "object-detection": ModelSpec((Tensor("image", "float32", (None, 8, 8, 1)),), labels=("a", "b")),
    "image-generation": ModelSpec(
        (Tensor("label", "int32", (None,)), Tensor("seed", "int64", (None, 2))), labels=("a cat", "a dog")
    ),
    "image-enhancement": ModelSpec((Tensor("image", "float32", (1, None, None, 3)),)),
    "tabular-classification": ModelSpec(
        (Tensor("features", "float32", (None, 1)),), labels=("a", "b", "c"), features=(Feature("x", 0, 9, 5),)
    ),
    "tabular-regression": ModelSpec((Tensor("features", "float32", (None, 1)),), features=(Feature("x", 0, 9, 5),)),
    "sentiment-analysis": ModelSpec((Tensor("text", "str", (None,)),), labels=("negative", "neutral", "positive")),
    "text-classification": ModelSpec((Tensor("text", "str", (None,)),), labels=("a", "b", "c")),
    "semantic-search": ModelSpec((Tensor("text", "str", (None,)),)),
    "tensor": ModelSpec((Tensor("x", "float32", (None, 2)),), (Tensor("probabilities", "float32", (None, 3)),)),
}
ANSWERS = {
    "image-enhancement": {"enhanced": np.zeros((1, 16, 16, 3), np.float32)},
    "image-segmentation": {"probabilities": np.full((1, 8, 8, 2), 0.5, np.float32)},
    "object-detection": {
        "boxes": np.array([[[1, 2, 3, 4], [0, 0, 0, 0]]], np.float32),
        "scores": np.array([[0.9, 0]], np.float32),
        "labels": np.array([[1, 0]]),
    },
    "image-generation": {"images": np.zeros((3, 4, 4, 1), np.float32)},
}
GIVEN: list[tuple[str, Any, int]] = [
    ("recommendation", {"history": []}, 1),
    ("recommendation", {"history": ["Apple"], "exclude": ["b"], "k": 1}, 1),
    ("ranking", {"history": ["Apple"], "candidates": ["b", "c"]}, 1),
    ("image-classification", {"image": picture()}, 1),
    ("image-enhancement", {"image": picture()}, 1),
    ("image-segmentation", {"image": picture()}, 1),
    ("object-detection", {"image": picture(), "threshold": 0.2}, 1),
    ("image-generation", {"prompt": "a dog", "n": 3}, 3),
    ("tabular-classification", {"features": {"x": 2}}, 1),
    ("tabular-classification", {"rows": [{"x": 2}, {"x": 3}]}, 2),
    ("tabular-regression", {"features": {"x": 2}}, 1),
    ("tabular-regression", {"rows": [{"x": 2}, {"x": 3}]}, 2),
    ("sentiment-analysis", {"text": "Lovely"}, 1),
    ("sentiment-analysis", {"texts": ["Lovely", "Awful"]}, 2),
    ("text-classification", {"text": "Hello"}, 1),
    ("text-classification", {"texts": ["Hello", "你好"]}, 2),
    ("semantic-search", {"query": "a", "documents": ["b", "c"]}, 3),
    ("semantic-search", {"query": "a", "documents": ["b", "c"], "top_k": 1}, 3),
    ("tensor", {"inputs": {"x": [[1, 2], [3, 4], [5, 6]]}}, 3),
]


@pytest.mark.parametrize(("name", "given", "rows"), GIVEN, ids=str)
def test_an_answer_fits_the_output_schema(name: str, given: Any, rows: int) -> None:
    task, spec = registry.get(name), SPECS[name]
    Check(task.codec.input_schema(spec))(given)
    arrays = task.codec.prepare(given, spec)
    assert {len(array) for array in arrays.values()} == {rows}
    outputs = ANSWERS.get(name, {"probabilities": np.array([[0.2, 0.7, 0.1]] * rows, np.float32)})
    answer = task.codec.present(given, outputs, spec)
    jsonschema_rs.validator_for(task.codec.output_schema(spec)).validate(answer)


@pytest.mark.parametrize(("name", "given", "rows"), GIVEN, ids=str)
def test_rows_bill_the_same_as_raw_tensors(name: str, given: Any, rows: int) -> None:
    task = registry.get(name)
    assert task.codec.units(given) == {task.row_unit: rows}


@pytest.mark.parametrize("name", registry.TASKS)
def test_every_output_schema_compiles(name: str) -> None:
    jsonschema_rs.validator_for(registry.get(name).codec.output_schema(ModelSpec()))


def test_numbers_that_would_overflow_are_refused() -> None:
    check = Check(registry.get("tabular-classification").codec.input_schema(SPECS["tabular-classification"]))
    with pytest.raises(InputInvalid) as caught:
        check({"rows": [{"x": 1}, {"x": 1e300}]})
    assert caught.value.param == "/input/rows/1/x"


def test_one_of_two_ways_is_asked_for_by_name() -> None:
    check = Check(registry.get("tabular-classification").codec.input_schema(SPECS["tabular-classification"]))
    for given in ({}, {"features": {"x": 1}, "rows": [{"x": 1}]}):
        with pytest.raises(InputInvalid, match="1 of the fields features, rows"):
            check(given)

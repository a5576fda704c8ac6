"""What tasks make of input, and what they say of input that does not fit."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from marketplace.errors import InputInvalid
from marketplace.tasks import registry
from marketplace.tasks.pictures import decode
from marketplace.tasks.schema import Check
from marketplace.tasks.task import Feature, ModelSpec, Tensor

IMAGE = ModelSpec((Tensor("image", "float32", (None, 64, 64, 1)),), labels=("a", "b"))
TABLE = ModelSpec(
    (Tensor("features", "float32", (None, 2)),), labels=("no", "yes"), features=(Feature("x", 0, 9, 5), Feature("y", 0, 9, 7))
)  # fmt: skip


def png(width: int, height: int, mode: str = "L", ink: Any = 0) -> str:
    file = io.BytesIO()
    Image.new(mode, (width, height), ink).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("name", registry.TASKS)
def test_every_task_of_the_registry_loads_and_has_a_schema_that_compiles(name: str) -> None:
    task = registry.get(name)
    assert task.name == name
    Check(task.codec.input_schema(TABLE))
    assert task.title
    assert task.protocols


def test_an_unknown_task_names_those_that_there_are() -> None:
    with pytest.raises(KeyError, match="text-generation"):
        registry.get("telepathy")


@pytest.mark.parametrize(
    ("task", "given", "pointer", "says"),
    [
        ("image-classification", {}, "/input", "image"),
        ("image-classification", {"image": 5}, "/input/image", "string"),
        ("image-classification", {"image": "x", "img": 1}, "/input", "img"),
        ("tabular-classification", {"features": {"z": 1}}, "/input/features", "z"),
        ("tabular-classification", {"features": {"x": "1"}}, "/input/features/x", "number"),
        ("tabular-classification", {"rows": []}, "/input/rows", "1"),
        ("tabular-classification", {"rows": [{"x": 1}] * 1001}, "/input/rows", "1000"),
        ("tabular-classification", {"rows": [{"x": 1}, {"x": None}]}, "/input/rows/1/x", "number"),
        ("text-classification", {"text": ""}, "/input/text", "1"),
        ("text-classification", {"texts": ["a", 5]}, "/input/texts/1", "string"),
        ("text-classification", {"text": "a", "texts": ["a"]}, "/input", "1 of the fields text, texts"),
        ("semantic-search", {"query": "a"}, "/input", "documents"),
        ("semantic-search", {"query": "a", "documents": []}, "/input/documents", "1"),
        ("semantic-search", {"query": "a", "documents": ["b"], "top_k": 0}, "/input/top_k", "1"),
        ("text-generation", {"prompt": ""}, "/input/prompt", "1"),
        ("text-generation", {"prompt": "a", "max_tokens": 10**6}, "/input/max_tokens", "1024"),
        ("text-generation", {"prompt": "a", "temperature": 3}, "/input/temperature", "2"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_input_that_does_not_fit_is_pointed_at(task: str, given: Any, pointer: str, says: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        Check(registry.get(task).codec.input_schema(TABLE))(given)
    assert caught.value.param == pointer
    assert says in caught.value.message


def test_an_image_keeps_its_proportions_and_its_paper() -> None:
    prepared = registry.get("image-classification").codec.prepare({"image": png(200, 50, ink=255)}, IMAGE)
    assert prepared["image"].shape == (1, 64, 64, 1)
    assert np.allclose(prepared["image"], 1)


def test_a_transparent_image_is_on_white_paper() -> None:
    assert decode(png(4, 4, "RGBA", (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    "image", ["!!!", base64.b64encode(b"not an image").decode(), "data:image/png,abc", png(8, 8)[:60], png(5000, 5000)]
)
def test_what_is_no_image_or_too_large_is_refused(image: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        decode(image)
    assert caught.value.param == "/input/image"


def test_features_that_are_left_out_are_typical_and_rows_are_billed() -> None:
    codec = registry.get("tabular-classification").codec
    given = {"rows": [{"x": 1}, {"y": 2}]}
    assert codec.prepare(given, TABLE)["features"].tolist() == [[1, 7], [5, 2]]
    assert codec.units(given) == {"row": 2}
    answer = codec.present(given, {"p": np.array([[0.25, 0.75], [0.5, 0.5]])}, TABLE)
    assert answer["rows"][0] == {
        "label": "yes", "score": 0.75, "scores": [{"label": "yes", "score": 0.75}, {"label": "no", "score": 0.25}],
    }  # fmt: skip


def test_a_specification_survives_its_row() -> None:
    assert ModelSpec.from_json(TABLE.to_json()) == TABLE

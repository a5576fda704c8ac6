"""After loading nothing is left to be traced: the first request costs what later ones cost."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.engine import Engine, ReplicaSpec, Work
from inference.engines.tensorflow.engine import engine_of
from inference.engines.tensorflow.library import keras
from marketplace.tasks import registry
from marketplace.training.signature import describe
from tests.inference.engines.test_image_classifiers import PIXELS, as_text

MODELS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "saved_model": ("tensor", [{"x": np.ones((rows, 3), np.float32)} for rows in (1, 3, 9)]),
    "keras_file": ("tensor", [{"x": np.ones((rows, 3), np.float32)} for rows in (1, 3, 9)]),
    "reader_folder": ("embeddings", [{"texts": ["A cat"] * rows} for rows in (1, 3, 40)] + [{"texts": ["moon " * 40]}]),
    "writer_folder": ("chat", [{"prompt": "A cat" * size, "max_tokens": 9} for size in (1, 7, 20)]),
    "vit_folder": ("image-classification", [{"image": as_text(PIXELS[:side])} for side in (9, 20, 45)]),
}


@pytest.fixture
def keras_file(tmp_path: Path) -> Path:
    k = keras()
    k.Sequential([k.Input((3,), name="x"), k.layers.Dense(2)]).save(tmp_path / "dense.keras")
    return tmp_path / "dense.keras"


def graphs() -> set[int]:
    return {id(one) for one in gc.get_objects() if type(one).__name__ == "FuncGraph"}


def took(ask: Callable[[], Any]) -> float:
    started = time.perf_counter()
    ask()
    return time.perf_counter() - started


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_traced_for_a_request(name: str, request: pytest.FixtureRequest) -> None:
    place, (task_name, inputs) = request.getfixturevalue(name), MODELS[name]
    task = registry.get(task_name)
    spec = describe(place, task)
    made: Engine = engine_of(ReplicaSpec("r", "tensorflow", str(place), "a/b", task, spec))
    made.load()
    raw = task_name == "tensor"
    if raw:
        inputs = [{spec.inputs[0].name: given["x"]} for given in inputs]
    before = graphs()
    first = took(lambda: made.infer(Work(inputs[0], raw=raw)))
    later = min(took(lambda: made.infer(Work(inputs[0], raw=raw))) for _ in range(20))
    for given in inputs:
        made.infer(Work(given, raw=raw))
    assert graphs() <= before
    assert first < 20 * later + 0.1
    made.unload()

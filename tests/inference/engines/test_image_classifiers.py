"""Image classifiers from a folder: pictures of any size, made ready as the folder says, and answered with its labels."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inference.engines.engine import Engine, ReplicaSpec, Work
from inference.engines.tensorflow.engine import engine_of
from inference.engines.tensorflow.library import keras_hub
from marketplace.errors import SourceInvalid
from marketplace.tasks import registry
from marketplace.training.signature import describe
from tests.fixtures.pictures import DEVIATION, LABELS, MEAN, SIDE
from tests.fixtures.serving import Installation

TASK = registry.get("image-classification")
PIXELS = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8).repeat(9, 0).repeat(11, 1)  # 45 × 77


def as_text(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def engine(folder: Path) -> Engine:
    made = engine_of(ReplicaSpec("r", "tensorflow", str(folder), "a/b", TASK, describe(folder, TASK)))
    made.load()
    return made


def scores(output: Any) -> dict[str, float]:
    return {one["label"]: one["score"] for one in output["scores"]}


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    grown = np.exp(logits - logits.max())
    found: NDArray[Any] = grown / grown.sum()
    return found


def test_a_folder_of_kerashub_answers_as_its_own_preprocessor_and_model(resnet_folder: Path) -> None:
    model = keras_hub().models.ImageClassifier.from_preset(str(resnet_folder))
    expected = softmax(np.asarray(model(model.preprocessor(PIXELS.astype("float32")[None]), training=False))[0])
    made = engine(resnet_folder)
    got = scores(made.infer(Work({"image": as_text(PIXELS)})).output)
    assert got == pytest.approx({str(at): score for at, score in enumerate(expected)}, abs=1e-4)
    assert len(set(np.round(expected, 3))) > 1, "a model that says the same of all shows nothing"
    made.unload()


def test_a_folder_of_hugging_face_answers_with_its_labels(vit_folder: Path) -> None:
    model = keras_hub().models.ImageClassifier.from_preset(str(vit_folder), preprocessor=None)
    # A picture of the right size is only scaled and shifted: (pixel / 255 - mean) / deviation.
    exact = np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    ready = ((exact / 255 - MEAN) / DEVIATION).astype("float32")
    expected = softmax(np.asarray(model(ready[None], training=False))[0])
    made = engine(vit_folder)
    answer = made.infer(Work({"image": as_text(exact)}))
    assert scores(answer.output) == pytest.approx(dict(zip(LABELS, expected, strict=True)), abs=1e-4)
    assert answer.units == {"request": 1, "image": 1}
    # One enlarged without loss is the same picture.
    larger = scores(made.infer(Work({"image": as_text(exact.repeat(4, 0).repeat(4, 1))})).output)
    assert larger == pytest.approx(scores(answer.output), abs=0.05)
    raw = made.infer(Work({made._replica.spec.inputs[0].name: ready[None]}, raw=True)).output  # type: ignore[attr-defined] # a Classifier
    np.testing.assert_allclose(next(iter(raw.values()))[0], expected, atol=1e-4)
    made.unload()


def test_callers_send_a_picture_and_get_labels(installation: Installation, vit_folder: Path) -> None:
    installation.manage(
        "add_model",
        "bench/vit",
        "--task",
        "image-classification",
        "--engine",
        "tensorflow",
        "--source",
        str(vit_folder),
    )
    for image in (as_text(PIXELS), f"data:image/png;base64,{as_text(PIXELS)}"):
        status, answer, _ = installation.call("/v1/models/bench/vit/predictions", {"input": {"image": image}})
        assert status == 200, answer
        assert set(scores(answer["output"])) == set(LABELS)
        assert sum(scores(answer["output"]).values()) == pytest.approx(1, abs=1e-4)


def test_a_folder_that_does_not_say_how_it_reads_pictures_is_refused(vit_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(vit_folder, tmp_path / "vit")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(SourceInvalid, match="preprocessor_config.json"):
        describe(folder, TASK)


def test_a_picture_is_cropped_where_the_folder_says_so(vit_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(vit_folder, tmp_path / "vit")
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings |= {"size": {"shortest_edge": SIDE}, "do_center_crop": True, "crop_size": {"height": SIDE, "width": SIDE}}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    made = engine(folder)
    middle = np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    wide = np.concatenate([np.zeros_like(middle), middle, np.full_like(middle, 255)], 1)
    ask = lambda pixels: scores(made.infer(Work({"image": as_text(pixels)})).output)  # noqa: E731
    assert ask(wide) == pytest.approx(ask(middle), abs=1e-4)
    made.unload()

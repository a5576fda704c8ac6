"""Every layout that people have models in comes through the gate, for a task that it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.hostile import NEEDS_WALLS
from tests.fixtures.submissions import Submit, message, statuses, zipped

pytestmark = [pytest.mark.slow, NEEDS_WALLS]


def passes(submit: Submit, file: Path, task: str, **told: Any) -> dict[str, str]:
    """Check → message, of a submission that passed."""
    submission = submit(file, task=task, golden=[], price="", **told)
    said = {name: message(submission, name) for name in statuses(submission)}
    assert submission.state == "passed", said
    return said | {"spec": submission.spec, "suggested": submission.suggested}


def test_a_sentence_encoder_makes_embeddings(submit: Submit, reader_folder: Path, tmp_path: Path) -> None:
    said = passes(submit, zipped(reader_folder, tmp_path), "embeddings")
    assert "Hugging Face folder" in said["archive"]


def test_a_causal_language_model_chats_by_its_template(submit: Submit, writer_folder: Path, tmp_path: Path) -> None:
    said = passes(submit, zipped(writer_folder, tmp_path), "chat")
    assert "KerasHub folder" in said["archive"]


def test_a_keras_file_classifies_by_the_labels_that_came_with_it(submit: Submit, tmp_path: Path) -> None:
    from inference.engines.tensorflow.library import keras

    k = keras()
    given = k.Input([8, 8, 3])
    k.Model(given, k.layers.Dense(2, activation="softmax")(k.layers.Flatten()(given))).save(tmp_path / "m.keras")
    said = passes(submit, tmp_path / "m.keras", "image-classification", labels=["cat", "dog"])
    assert "Keras file" in said["archive"]
    assert "made-up input" in said["examples"]
    assert said["spec"]["labels"] == ["cat", "dog"]

"""The engine for what lies in a folder: which program runs it is told by the folder's files and the task."""

from __future__ import annotations

from pathlib import Path

from inference.engines.engine import Engine, ReplicaSpec
from inference.engines.tensorflow.classifier import Classifier
from inference.engines.tensorflow.encoder import Encoder
from inference.engines.tensorflow.generation import Generator
from inference.engines.tensorflow.kerasfile import KerasModel
from inference.engines.tensorflow.savedmodel import SavedModel
from marketplace.training.artifact import HUGGING_FACE, KERAS_FILE, KERAS_HUB, kind_of


def engine_of(replica: ReplicaSpec) -> Engine:
    """The program for the replica's folder, not loaded yet."""
    kind = kind_of(Path(replica.target))
    if kind in (KERAS_HUB, HUGGING_FACE):
        if replica.task.name == "embeddings":
            return Encoder(replica)
        if replica.task.name in ("chat", "text-generation"):
            return Generator(replica)
        return Classifier(replica)
    if kind == KERAS_FILE:
        return KerasModel(replica)
    return SavedModel(replica)

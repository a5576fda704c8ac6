"""The engine for what lies in a folder: which program runs it is told by the folder's files."""

from __future__ import annotations

from inference.engines.engine import Engine, ReplicaSpec
from inference.engines.tensorflow.savedmodel import SavedModel


def engine_of(replica: ReplicaSpec) -> Engine:
    """The program for the replica's folder, not loaded yet."""
    return SavedModel(replica)

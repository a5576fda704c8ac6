"""What lies in a folder that shall be served, told by its files. Nothing of it is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MOST_CONTEXT = 1024  # tokens that a language model in this process holds; one that could hold more is served so
SAVED_MODEL, KERAS_FILE, KERAS_HUB, HUGGING_FACE = "SavedModel", "Keras file", "KerasHub folder", "Hugging Face folder"


def kind_of(place: Path) -> str | None:
    """One of the kinds above; None for anything else."""
    if place.suffix == ".keras" and place.is_file():
        return KERAS_FILE
    if (place / "saved_model.pb").is_file():
        return SAVED_MODEL
    if list(place.glob("*.keras")):
        return KERAS_FILE
    config = read_json(place / "config.json")
    if "registered_name" in config:
        return KERAS_HUB
    if "model_type" in config:
        return HUGGING_FACE
    return None


def keras_file(place: Path) -> Path:
    """The .keras file that `place` is or holds."""
    return place if place.is_file() else sorted(place.glob("*.keras"))[0]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty without one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def context_length(place: Path) -> int | None:
    """Tokens that the model in a KerasHub or Hugging Face folder can hold in mind, where its configuration tells."""
    config = read_json(place / "config.json")
    inner = config.get("config") or {}
    backbone = (inner.get("backbone") or {}).get("config") or inner
    for found in (
        config.get("n_positions"), config.get("max_position_embeddings"), backbone.get("max_sequence_length"),
    ):  # fmt: skip
        if isinstance(found, int) and found > 0:
            return found
    return None


def weight_bytes(place: Path) -> int:
    """Bytes of all files: what loading takes, roughly."""
    if place.is_file():
        return place.stat().st_size
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())

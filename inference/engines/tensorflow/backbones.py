"""Encoders' backbones from a folder, also those that sentence-transformers saved, whose weights have shorter names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inference.engines.tensorflow.library import keras_hub
from marketplace.training.artifact import HUGGING_FACE, kind_of


def encoder_of(place: Path) -> Any:
    """The backbone in float32. Raises whatever KerasHub's parsers raise."""
    if kind_of(place) != HUGGING_FACE:
        return keras_hub().models.Backbone.from_preset(str(place), dtype="float32")
    keras_hub()
    from keras_hub.src.utils.preset_utils import get_preset_loader
    from keras_hub.src.utils.transformers.safetensor_utils import SafetensorLoader

    class Weights(SafetensorLoader):  # type: ignore[misc] # no types
        def get_prefixed_key(self, name: str, known: Any) -> str:
            """The weight's name in the file: KerasHub's, with something before it, or without what is before it."""
            found: str = super().get_prefixed_key(name, known)
            return found if found in set(known.keys()) else name.partition(".")[2]

    loader = get_preset_loader(str(place))
    backbone = loader.load_backbone(loader.check_backbone_class(), False, dtype="float32")
    with Weights(str(place)) as weights:
        loader.converter.convert_weights(backbone, weights, loader.config)
        if loader.config["model_type"] == "roberta":
            _with_types(backbone, weights)
    return backbone


def _with_types(backbone: Any, weights: Any) -> None:
    """Adds to the places what every token of a text has: KerasHub leaves it out, and training may have moved it from 0."""
    places = backbone.embeddings.position_embedding.position_embeddings
    places.assign(places + weights.get_tensor("roberta.embeddings.token_type_embeddings.weight")[0])

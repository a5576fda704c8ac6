"""How a picture becomes what an image classifier reads, as its folder says: size, scale, offset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marketplace.errors import SourceInvalid
from marketplace.training.artifact import HUGGING_FACE, kind_of, read_json

_RESAMPLING = {0: "nearest", 1: "lanczos3", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def converter_of(place: Path) -> Any:
    """KerasHub's layer for pictures [height, width, 3] from 0 to 255. Imports TensorFlow. Raises SourceInvalid."""
    import keras_hub

    try:
        found = keras_hub.layers.ImageConverter.from_preset(str(place), dtype="float32")
    except Exception:  # KerasHub raises whatever its parsers raise; a folder without one is among it
        found = None
    if found is None and kind_of(place) == HUGGING_FACE:
        found = _of_hugging_face(read_json(place / "preprocessor_config.json"))
    if found is None or found.image_size is None:
        raise SourceInvalid(
            f"{place.name} does not say how large a picture it reads and in which scale: save it with its preprocessor "
            "(preprocessor.json in Keras' layout, preprocessor_config.json in Hugging Face's).",
            param="source",
        )
    return found


def _of_hugging_face(settings: dict[str, Any]) -> Any:
    """What transformers' image processors of this form do. KerasHub reads these settings for some models only."""
    import keras_hub

    cropped = settings.get("do_center_crop") and settings.get("crop_size")
    size = settings["crop_size"] if cropped else settings.get("size")
    if isinstance(size, int):
        size = {"shortest_edge": size}
    if not size:
        return None
    rescale = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    normal = settings.get("do_normalize", True)
    mean = settings.get("image_mean", [0.5] * 3) if normal else [0.0] * 3
    deviation = settings.get("image_std", [0.5] * 3) if normal else [1.0] * 3
    edge = size.get("shortest_edge")
    return keras_hub.layers.ImageConverter(
        image_size=(size.get("height", edge), size.get("width", edge)),
        scale=[rescale / one for one in deviation],
        offset=[-centre / one for centre, one in zip(mean, deviation, strict=True)],
        crop_to_aspect_ratio=bool(cropped or edge),
        interpolation=_RESAMPLING.get(settings.get("resample", 2), "bilinear"),
        antialias=True,
        dtype="float32",
    )

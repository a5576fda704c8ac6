"""Reads what an artifact takes and gives. Imports TensorFlow where the artifact must be loaded for that: seconds."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from marketplace.errors import SourceInvalid
from marketplace.tasks.task import ModelSpec, Task, Tensor
from marketplace.training.artifact import (
    HUGGING_FACE,
    KERAS_FILE,
    MOST_CONTEXT,
    SAVED_MODEL,
    context_length,
    keras_file,
    kind_of,
    read_json,
)
from marketplace.training.pictures import converter_of

_GENERATES = ("chat", "text-generation")
_READS_TEXT = (*_GENERATES, "embeddings")


def describe(place: Path, task: Task) -> ModelSpec:
    """The specification of what lies there, for the task. Raises SourceInvalid."""
    kind = kind_of(place)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if kind is None:
        raise SourceInvalid(
            f"{place} is no model: it has no saved_model.pb, no .keras file, and no config.json that names an architecture.",
            param="source",
        )
    if kind == SAVED_MODEL:
        return _of_saved_model(place, task)
    if kind == KERAS_FILE:
        return _of_keras(_load_keras(keras_file(place)), ())
    if task.name in _READS_TEXT:
        _has_weights(place)
        _fits(place, task)
        most = min(context_length(place) or MOST_CONTEXT, MOST_CONTEXT)
        return ModelSpec(max_output_tokens=most, context_length=most)
    return _of_classifier(place)


def _of_saved_model(folder: Path, task: Task) -> ModelSpec:
    import tensorflow as tf

    try:
        signatures = tf.saved_model.load(str(folder)).signatures
        if task.name == "text-generation" and {"prefill", "step", "vocabulary"} <= set(signatures):
            return ModelSpec(max_output_tokens=MOST_CONTEXT)
        signature = signatures["serving_default"]
    except KeyError as error:
        raise SourceInvalid(f"{folder} has no signature named serving_default.") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceInvalid(f"{folder} cannot be loaded as a SavedModel: {str(error)[:200]}") from error
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    return ModelSpec(_tensors(inputs), _tensors(outputs))


def _load_keras(file: Path) -> Any:
    import keras

    try:
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers raise
        raise SourceInvalid(
            f"{file.name} cannot be loaded; code inside it (a Lambda layer) is never run: {str(error)[:200]}",
            param="source",
        ) from error


def _of_classifier(folder: Path) -> ModelSpec:
    import keras_hub

    try:
        model = keras_hub.models.ImageClassifier.from_preset(str(folder), preprocessor=None, dtype="float32")
    except Exception as error:  # KerasHub raises whatever its converters raise
        raise SourceInvalid(
            f"{folder} is no model for this task: a folder with a config.json is a language model (chat, text-generation), "
            f"an encoder (embeddings) or an image classifier: {str(error)[:200]}",
            param="task",
        ) from error
    named = read_json(folder / "config.json").get("id2label") or {}
    spec = _of_keras(model, tuple(named[key] for key in sorted(named, key=int)))
    image = replace(spec.inputs[0], shape=(None, *converter_of(folder).image_size, 3))
    return replace(spec, inputs=(image,))


def _of_keras(model: Any, labels: tuple[str, ...]) -> ModelSpec:
    def tensors(given: Any, kind: str) -> tuple[Tensor, ...]:
        found = []
        for at, one in enumerate(given):
            name = (getattr(one, "name", "") or f"{kind}_{at}").split("/")[0].partition(":")[0]
            found.append(Tensor(name, str(one.dtype), tuple(one.shape)))
        return tuple(found)

    return ModelSpec(tensors(model.inputs, "input"), tensors(model.outputs, "output"), labels=labels)


def _has_weights(folder: Path) -> None:
    if not list(folder.glob("*.safetensors")) and not list(folder.glob("*.h5")):
        raise SourceInvalid(f"{folder} has no weights: model.safetensors or model.weights.h5.", param="source")


def _fits(folder: Path, task: Task) -> None:
    """Raises SourceInvalid for an architecture that KerasHub does not know or not in this form, or for another task."""
    import keras_hub
    from keras_hub.src.utils.preset_utils import get_preset_loader, list_subclasses

    try:
        loader = get_preset_loader(str(folder))
        backbone = loader.check_backbone_class()
        if kind_of(folder) == HUGGING_FACE:
            loader.converter.convert_backbone_config(loader.config)
    except KeyError as error:
        raise SourceInvalid(f"KerasHub needs {error} in {folder.name}/config.json.", param="source") from error
    except Exception as error:  # KerasHub raises whatever its parsers raise
        name = read_json(folder / "config.json").get("model_type") or folder.name
        raise SourceInvalid(
            f"KerasHub cannot load models of the type {name}: {str(error)[:200]}", param="source"
        ) from error
    writes = any(one.backbone_cls == backbone for one in list_subclasses(keras_hub.models.CausalLM))
    if writes != (task.name in _GENERATES):
        does = (
            "generates text: its task is chat or text-generation"
            if writes
            else "generates no text: its task may be embeddings"
        )
        raise SourceInvalid(f"A {backbone.__name__.removesuffix('Backbone')} {does}.", param="task")


def _tensors(specs: dict[str, Any]) -> tuple[Tensor, ...]:
    found = []
    for name, spec in specs.items():
        if spec.shape.rank is None or spec.shape.rank == 0:
            raise SourceInvalid(f"{name} has no batch dimension: every input and output needs rows as its first axis.")
        dtype = "str" if spec.dtype.name == "string" else spec.dtype.name
        found.append(Tensor(name, dtype, tuple(spec.shape.as_list())))
    return tuple(found)

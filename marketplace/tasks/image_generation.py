"""A prompt → images."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np

from marketplace.errors import InputInvalid
from marketplace.tasks.pictures import PNG, png
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _

MOST = 10
# How many, and by which seed: what every model is asked.
_ASKED = {
    "n": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST},
    "seed": {"type": ["integer", "null"]},
}
# What upstreams are asked besides.
_UPSTREAMS = {
    name: {"type": ["string", "null"], "maxLength": most}
    for name, most in (("size", 20), ("quality", 20), ("style", 40), ("background", 20), ("output_format", 20))
}


class Painting:
    """A prompt → images as base64.

    An upstream is given the prompt as it is, and further fields. A model that runs here knows some prompts, its labels: it is
    given `label` (n,), numbers, and `seed` (n, 2), the caller's and which image it is, and gives images (n, height, width, 1
    or 3) from 0 to 1.
    """

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        prompt: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 4_000}
        if spec.labels:
            prompt = {"enum": list(spec.labels)}
        return {
            "type": "object",
            "properties": {"prompt": prompt, **_ASKED, **({} if spec.labels else _UPSTREAMS)},
            "required": ["prompt"],
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"images": {"type": "array", "items": PNG, "minItems": 1}},
            "required": ["images"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        if not spec.labels:
            raise InputInvalid("This model is reached through an upstream only.")
        count, seed = given.get("n") or 1, given.get("seed")
        if seed is None:
            seed = secrets.randbits(63)
        label, noise = (tensor.name for tensor in spec.inputs)
        return {
            label: np.full(count, spec.labels.index(given["prompt"]), np.int32),
            noise: np.stack([np.full(count, seed, np.int64), np.arange(count)], 1),
        }

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        images = (next(iter(outputs.values())).clip(0, 1) * 255).round().astype(np.uint8)
        return {"images": [png(image[..., 0] if image.shape[-1] == 1 else image) for image in images]}

    def units(self, given: Json) -> dict[str, int]:
        return {"image": given.get("n") or 1}


IMAGE_GENERATION = Task(
    name="image-generation",
    title=_("Image generation"),
    summary=_("Makes images from a description."),
    modality="vision",
    codec=Painting(),
    widget="paint",
    row_unit="image",
    protocols=("openai", "predictions"),
    metrics=(
        Metric("accuracy", _("Recognised as asked"), percent=True),
        Metric("diversity", _("Diversity (people: 1)")),
    ),
    examples=({"prompt": "A lighthouse at dusk, oil on canvas."},),
    also=("text-to-image", "drawing", "art", "painting", "GAN", "VAE", "diffusion", "文生图", "绘画"),
)

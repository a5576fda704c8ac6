"""The outliner, called over the API, tells shapes from their ground, whatever the picture's size."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.fixtures.serving import Installation
from tests.fixtures.training import Trained

pytestmark = pytest.mark.slow
PATH = "/v1/models/mercato/outliner/predictions"


@pytest.mark.parametrize("size", [(64, 64), (320, 240)], ids=str)
def test_a_disc_on_a_plain_ground(
    installation: Installation,
    served_starter: Callable[[str], str],
    trained_starter: Callable[[str], Trained],
    size: tuple[int, int],
) -> None:
    served_starter("outliner")
    labels = trained_starter("outliner").outcome["spec"]["labels"]
    image = Image.new("RGB", size, (90, 90, 90))
    middle, wide = (size[0] // 2, size[1] // 2), size[1] // 4
    box = (middle[0] - wide, middle[1] - wide, middle[0] + wide, middle[1] + wide)
    ImageDraw.Draw(image).ellipse(box, (240, 200, 40))
    truth = np.asarray(image)[..., 0] > 128
    file = io.BytesIO()
    image.save(file, "PNG")
    status, answer, headers = installation.call(PATH, {"input": {"image": base64.b64encode(file.getvalue()).decode()}})
    assert status == 200, answer
    assert headers["x-mercato-cost"] == "0.0005"
    output = answer["output"]
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(output["mask"]))))
    assert (output["width"], output["height"]) == size
    there = mask > 0
    assert (there & truth).sum() / (there | truth).sum() > 0.7
    assert np.bincount(mask[truth]).argmax() == labels.index("disc")
    assert {one["label"] for one in output["segments"]} <= set(labels)

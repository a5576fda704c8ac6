"""The calligrapher draws what is asked for, by OpenAI's SDK and by predictions; the same seed draws the same."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import openai
import pytest
from PIL import Image

from tests.fixtures.serving import Installation

pytestmark = pytest.mark.slow
NAME = "mercato/calligrapher"
PATH = f"/v1/models/{NAME}/predictions"


@pytest.fixture(autouse=True)
def served(served_starter: Callable[[str], str]) -> None:
    served_starter("calligrapher")


@pytest.fixture
def client(installation: Installation) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key, max_retries=0)


def images(client: openai.OpenAI, prompt: str, **more: Any) -> list[str]:
    answer = client.images.generate(model=NAME, prompt=prompt, **more)
    return [image.b64_json or "" for image in answer.data or ()]


def test_the_sdk_gets_as_many_images_as_it_asks_for(client: openai.OpenAI) -> None:
    found = images(client, "a handwritten seven", n=3)
    assert len(set(found)) == 3
    for image in found:
        picture = Image.open(io.BytesIO(base64.b64decode(image)))
        assert (picture.format, picture.size, picture.mode) == ("PNG", (128, 128), "L")
        ink = np.asarray(picture) < 128
        assert 0.02 < ink.mean() < 0.5, "a pen on paper"


def test_the_same_seed_draws_the_same_and_another_another(client: openai.OpenAI) -> None:
    one, again, other = (images(client, "a handwritten two", n=2, extra_body={"seed": seed}) for seed in (7, 7, 8))
    assert one == again
    assert not {*one} & {*other}
    assert images(client, "a handwritten two", extra_body={"seed": 7}) == one[:1], "however many are asked for"
    assert images(client, "a handwritten two") != images(client, "a handwritten two"), "without a seed, always new"
    assert images(client, "a handwritten two", extra_body={"seed": 2**63 - 1})


def test_each_image_is_billed_by_either_protocol(installation: Installation) -> None:
    body = {"model": NAME, "prompt": "a handwritten one", "n": 4, "seed": 1, "size": "auto"}
    status, answer, headers = installation.call("/v1/images/generations", body)
    assert (status, headers["x-mercato-cost"]) == (200, "0.002")
    given = {"prompt": "a handwritten one", "n": 4, "seed": 1}
    status, other, headers = installation.call(PATH, {"input": given})
    assert (status, headers["x-mercato-cost"]) == (200, "0.002")
    assert other["output"]["images"] == [image["b64_json"] for image in answer["data"]]


@pytest.mark.parametrize(
    ("more", "param", "says"),
    [
        ({"prompt": "a lighthouse"}, "/prompt", "a handwritten zero"),
        ({"prompt": 7}, "/prompt", "a handwritten zero"),
        ({"n": 11}, "/n", "at most 10"),
        ({"seed": -1}, "/seed", "at least 0"),
        ({"seed": 2**63}, "/seed", "at most"),
        ({"size": "1024x1024"}, "/size", "leave it out"),
        ({"quality": "high"}, "/quality", "leave it out"),
    ],
    ids=str,
)
def test_what_it_cannot_do_is_refused_by_name(
    installation: Installation, more: dict[str, Any], param: str, says: str
) -> None:
    body = {"model": NAME, "prompt": "a handwritten one", **more}
    status, answer, _ = installation.call("/v1/images/generations", body)
    assert status in (400, 422)
    assert answer["error"]["param"] in (param, param.strip("/"))
    assert says in answer["error"]["message"]

"""Pictures come from phones, drawing programs, scanners and shells; none of them, and no broken one, does harm."""

from __future__ import annotations

import base64
import io
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from marketplace.errors import InputInvalid
from marketplace.tasks import pictures
from marketplace.tasks.pictures import decode


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return base64.b64encode(file.getvalue()).decode()


def test_a_photo_is_upright_however_the_phone_was_held() -> None:
    photo = Image.new("RGB", (40, 20), "white")
    photo.paste("black", (0, 0, 20, 20))
    turned = Image.Exif()
    turned[0x0112] = 6  # turned right by a quarter
    seen = decode(encoded(photo, "JPEG", exif=turned))
    assert seen.size == (20, 40)
    assert seen.getpixel((10, 5)) < (40, 40, 40)
    assert seen.getpixel((10, 35)) > (215, 215, 215)


@pytest.mark.parametrize(("ink", "ground"), [((0, 0, 0), (255, 255, 255)), ((255, 255, 255), (0, 0, 0))])
def test_ink_on_a_transparent_ground_stands_out(ink: tuple[int, int, int], ground: tuple[int, int, int]) -> None:
    image = Image.new("RGBA", (20, 20), (*ink, 0))
    image.paste((*ink, 255), (5, 5, 15, 15))
    seen = decode(encoded(image))
    assert seen.getpixel((10, 10)) == ink
    assert seen.getpixel((0, 0)) == ground


def test_a_scan_of_sixteen_bits_keeps_its_greys() -> None:
    greys = np.array([[0, 128 * 256], [255 * 256, 64 * 256]], np.uint16)
    assert np.asarray(decode(encoded(Image.fromarray(greys))))[..., 0].tolist() == [[0, 128], [255, 64]]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_every_promised_format_is_read(kind: str) -> None:
    image = encoded(Image.new("RGB", (30, 20), (200, 30, 30)), kind)
    red, green, blue = decode(f"data:image/{kind.lower()};base64,{image}").getpixel((15, 10))  # type: ignore[misc] # RGB
    assert red > 180
    assert max(green, blue) < 60


def test_other_formats_are_refused_with_those_that_go() -> None:
    with pytest.raises(InputInvalid, match="PNG, JPEG, WEBP, GIF, BMP"):
        decode(encoded(Image.new("RGB", (8, 8)), "TIFF"))


def test_base64_may_have_the_line_breaks_of_a_shell() -> None:
    assert decode("\n".join(encoded(Image.new("L", (64, 64)))[i : i + 76] for i in range(0, 10**4, 76))).size == (
        64,
        64,
    )


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    def unpacked(*_: object) -> None:
        raise AssertionError("unpacked")

    bomb = encoded(Image.new("1", (8000, 8000)))
    monkeypatch.setattr(pictures, "upright", unpacked)
    with pytest.raises(InputInvalid, match="16 million pixels") as caught:
        decode(bomb)
    assert caught.value.param == "/input/image"


def test_a_file_of_more_than_eight_megabytes_is_refused_undecoded() -> None:
    with pytest.raises(InputInvalid, match="8 MB"):
        decode("A" * (12 * 1024**2))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_a_damaged_file_is_an_image_or_refused_but_never_a_crash(kind: str) -> None:
    random = Random(7)
    noise = np.asarray(random.choices(range(256), k=24 * 24 * 3), np.uint8).reshape(24, 24, 3)
    whole = base64.b64decode(encoded(Image.fromarray(noise), kind))
    pointers = []
    for _ in range(60):
        damaged = bytearray(whole[: random.randint(len(whole) // 4, len(whole))])
        for _ in range(random.randint(0, 8)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        try:
            assert decode(base64.b64encode(damaged).decode()).mode == "RGB"
        except InputInvalid as problem:
            pointers.append(problem.param)
    assert set(pointers) == {"/input/image"}

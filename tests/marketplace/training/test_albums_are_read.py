"""A ZIP of labelled pictures: every one is decoded and counted, what cannot be used is named, what is hostile is refused."""

from __future__ import annotations

import io
import re
import stat
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from marketplace.training import refusals
from marketplace.training.recipes.datasets import album, album_profile
from marketplace.training.recipes.datasets.album_profile import profile
from marketplace.training.recipes.datasets.reading import Unreadable
from marketplace.training.samples import sample
from tests.marketplace.training.albums import pictures, png, zipped


def refused(path: Path) -> Unreadable:
    with pytest.raises(Unreadable) as error:
        profile(path)
    assert refusals.sentence(error.value.reason, error.value.values)
    return error.value


def balance(found: dict[str, Any]) -> dict[str, int]:
    return dict(found["columns"][0]["classes"])


def test_folders_are_classes(tmp_path: Path) -> None:
    found = profile(zipped(tmp_path / "a.zip", *pictures(), ("photos/left/wide.png", png(99, size=(40, 10)))))
    assert (found["kind"], found["rows"], found["target"]) == ("images", 41, "class")
    assert balance(found) == {"left": 21, "right": 20}
    assert found["columns"][0]["task"] == "image-classification"
    width = found["sizes"][0]
    assert (width["least"], width["middle"], width["most"]) == (12, 12, 40)
    assert sum(count for *_, count in width["bars"]) == 41
    assert found["forms"] == [("PNG", 41)]
    assert [label for label, _ in found["samples"]] == ["left", "right"]
    assert all(one.startswith("data:image/webp;base64,") for _, some in found["samples"] for one in some)


def test_a_table_of_labels_is_taken_instead_of_folders(tmp_path: Path) -> None:
    images = [(f"set/{number}.png", png(number)) for number in range(21)]
    rows = "".join(f"{number}.png,{'odd' if number % 2 else 'even'}\n" for number in range(20))
    found = profile(zipped(tmp_path / "a.zip", *images, ("set/labels.csv", b"file,label\n" + rows.encode())))
    assert balance(found) == {"even": 10, "odd": 10}
    assert found["left_out"] == [{"why": "nameless", "count": 1, "names": ["set/20.png"]}]


def test_what_is_there_twice_is_counted_across_classes_too(tmp_path: Path) -> None:
    again = [("photos/left/again.png", png(0, "left")), ("photos/right/odd.png", png(2, "left"))]
    found = profile(zipped(tmp_path / "a.zip", *pictures(), *again))
    assert (found["duplicates"], found["across_count"]) == (2, 1)
    assert found["across"] == [["photos/left/1.png", "left", "photos/right/odd.png", "right"]]


def huge() -> bytes:
    """A PNG of a few bytes whose header promises 40,000 × 40,000 pixels."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def test_what_cannot_be_used_is_left_out_and_named(tmp_path: Path) -> None:
    odd = [
        ("photos/left/cut.png", png(1)[:200]),
        ("photos/left/text.png", b"no picture"),
        ("photos/left/huge.png", huge()),
        ("photos/left/large.png", bytes(album.MOST_BYTES + 1)),
        ("photos/left/notes.txt", b"hello"),
        ("alone.png", png(1)),
        ("__MACOSX/photos/left/._0.png", b"x"),
        ("photos/left/.DS_Store", b"x"),
    ]
    found = profile(zipped(tmp_path / "a.zip", *pictures(), *odd))
    assert found["rows"] == 40
    assert {one["why"]: (one["count"], one["names"]) for one in found["left_out"]} == {
        "broken": (2, ["photos/left/cut.png", "photos/left/text.png"]),
        "large": (2, ["photos/left/huge.png", "photos/left/large.png"]),
        "other": (1, ["photos/left/notes.txt"]),
        "nameless": (1, ["alone.png"]),
    }
    assert refusals.LEFT_OUT.keys() == {album.OTHER, album.BROKEN, album.LARGE, album.NAMELESS}


@pytest.mark.parametrize(
    ("name", "mode", "why"),
    [
        ("../left/x.png", 0, "leads out of the archive"),
        ("/left/x.png", 0, "is an absolute path"),
        ("left/x.png", stat.S_IFLNK, "is a link or a device"),
    ],
)
def test_what_leads_out_of_the_archive_is_refused(tmp_path: Path, name: str, mode: int, why: str) -> None:
    error = refused(zipped(tmp_path / "a.zip", (name, png(1)), mode=mode))
    assert error.reason == "member"
    assert why in str(error.values["why"])


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(album, "MOST_UNPACKED", 2 * 1024**2)
    bomb = zipped(tmp_path / "a.zip", *pictures(), ("photos/left/x.png", bytes(3 * 1024**2)))
    assert bomb.stat().st_size < 100_000
    assert refused(bomb).reason == "unpacked"


def test_a_bomb_that_lies_of_its_size_is_cut_off(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", *pictures(), ("photos/left/x.png", bytes(album.MOST_BYTES * 2)))
    # In both of its headers the member says that it has ten bytes.
    lie = path.read_bytes().replace(struct.pack("<I", album.MOST_BYTES * 2), struct.pack("<I", 10))
    path.write_bytes(lie)
    assert profile(path)["left_out"] == [{"why": "broken", "count": 1, "names": ["photos/left/x.png"]}]


def test_an_archive_that_is_no_album_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 no archive")
    assert refused(tmp_path / "b.zip").reason == "no_zip"
    few = refused(zipped(tmp_path / "a.zip", ("left/1.png", png(1)), ("left/2.txt", b"")))
    assert (few.reason, few.values["found"], few.values["name"]) == ("few_pictures", 1, "left/2.txt")
    monkeypatch.setattr(album, "MOST_PICTURES", 3)
    assert refused(zipped(tmp_path / "a.zip", *pictures())).reason == "files"
    monkeypatch.undo()
    monkeypatch.setattr(album_profile, "MOST_CLASSES", 1)
    assert refused(zipped(tmp_path / "a.zip", *pictures())).reason == "classes"


def test_a_picture_is_seen_as_its_camera_was_held(tmp_path: Path) -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (40, 20), "red").save(file, "JPEG", exif=exif)
    path = zipped(tmp_path / "a.zip", ("red/1.jpg", file.getvalue()))
    (one,) = album.read(path)
    assert isinstance(one, album.Picture)
    assert (one.form, one.image.size) == ("JPEG", (20, 40))


def test_the_sample_has_ten_classes_and_is_the_same_each_time(tmp_path: Path) -> None:
    path = tmp_path / "digits.zip"
    path.write_bytes(sample("digits"))
    found = profile(path)
    assert (found["rows"], len(balance(found)), found["duplicates"], found["left_out"]) == (1797, 10, 0, [])
    assert path.read_bytes() == sample("digits")


def test_every_reason_has_a_sentence() -> None:
    named = {
        reason
        for module in (album, album_profile)
        for reason in re.findall(r'Unreadable\(\s*"(\w+)"', Path(str(module.__file__)).read_text())
    }
    assert named <= set(refusals.REASONS)

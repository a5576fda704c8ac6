"""Archives that strangers send are unpacked within bounds, whole or not at all, and nothing is written beside."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from marketplace.errors import SourceInvalid
from marketplace.publishing.inspection import archives

Member = tuple[str, bytes]


def zipped(path: Path, *members: Member, mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            made.writestr(info, data)
    return path


def tarred(path: Path, *members: Member, change: Callable[[tarfile.TarInfo], None] | None = None) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as made:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if change:
                change(info)
            made.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return path


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def refused(archive: Path) -> str:
    """Why; and nothing but the archive is there afterwards."""
    room = archive.parent
    with pytest.raises(SourceInvalid) as refusal:
        archives.unpack(archive, room / "into" / "model")
    assert everything(room) <= {archive.name, "into"}
    assert refusal.value.param == "source"
    return refusal.value.message


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder in a folder, so that what climbs out would be seen."""
    (tmp_path / "room").mkdir()
    return tmp_path / "room"


@pytest.mark.parametrize("name", ["m.zip", "m.tar", "m.tar.gz"])
def test_a_good_archive_is_unpacked_readable_and_without_its_own_modes(room: Path, name: str) -> None:
    make = zipped if name.endswith("zip") else tarred
    archive = make(room / name, ("model/config.json", b"{}"), ("model/deep/er/vocab.txt", b"a\nb\n"))
    archives.unpack(archive, room / "into")
    assert (room / "into/model/deep/er/vocab.txt").read_bytes() == b"a\nb\n"
    assert stat.S_IMODE((room / "into/model/config.json").stat().st_mode) == 0o644
    assert everything(room) >= {name, "into/model/config.json"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../evil.txt", "leads out"),
        ("a/../../evil.txt", "leads out"),
        ("/tmp/evil.txt", "absolute"),
        ("a\\..\\evil.txt", "not plain"),
        ("a/\u202etxt.exe", "not plain"),
        ("a\nb", "not plain"),
        ("/".join("a" * 9), "not plain"),
        ("a" * 201, "not plain"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_name_that_leads_elsewhere_is_refused(room: Path, kind: str, name: str, why: str) -> None:
    make = zipped if kind == "zip" else tarred
    told = refused(make(room / f"m.{kind}", ("config.json", b"{}"), (name, b"evil")))
    assert why in told
    assert everything(room.parent) <= {"room", f"room/m.{kind}", "room/into"}


def test_links_and_devices_in_a_tar_are_refused(room: Path) -> None:
    for number, kind in enumerate(
        [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
    ):

        def change(info: tarfile.TarInfo, kind: bytes = kind) -> None:
            info.type, info.linkname, info.size = kind, "/etc/passwd", 0

        archive = tarred(room / f"{number}.tar", ("vocab.txt", b""), change=change)
        assert "'vocab.txt' is a link or a device" in refused(archive)
        archive.unlink()


def test_a_file_through_a_linked_folder_is_refused(room: Path) -> None:
    with tarfile.open(room / "m.tar", "w") as made:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, str(room.parent)
        made.addfile(link)
        made.addfile(tarfile.TarInfo("out/evil.txt"), io.BytesIO())
    assert "'out' is a link" in refused(room / "m.tar")
    assert not (room.parent / "evil.txt").exists()


def test_a_link_in_a_zip_is_refused(room: Path) -> None:
    assert "is a link or a device" in refused(zipped(room / "m.zip", ("a", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused(room: Path) -> None:
    assert "twice" in refused(zipped(room / "m.zip", ("config.json", b"{}"), ("config.json", b'{"evil": 1}')))
    (room / "m.zip").unlink()
    assert "twice" in refused(tarred(room / "m.tar", ("config.json", b"{}"), ("Config.JSON", b"")))


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar.gz"])
def test_a_bomb_is_stopped_by_what_comes_out_of_it(room: Path, name: str) -> None:
    make = zipped if name.endswith("zip") else tarred
    archive = make(room / name, *((f"{number}.txt", bytes(8 << 20)) for number in range(3)))
    assert archive.stat().st_size < 1 << 20
    assert "200 times the archive" in refused(archive)


def test_a_zip_that_lies_about_its_sizes_is_stopped_too(room: Path) -> None:
    archive = zipped(room / "m.zip", ("a.txt", bytes(32 << 20)))
    honest = (32 << 20).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(honest, (10).to_bytes(4, "little")))
    refused(archive)


def test_a_tar_header_without_end_does_not_fill_the_memory(room: Path) -> None:
    def change(info: tarfile.TarInfo) -> None:
        info.type = tarfile.XHDTYPE

    archive = tarred(room / "m.tar.gz", ("pax", bytes(64 << 20)), change=change)
    with tarfile.open(archive, "w:gz") as made:
        info = tarfile.TarInfo("pax")
        info.type, info.size = tarfile.XHDTYPE, 64 << 20
        made.addfile(info, io.BytesIO(bytes(64 << 20)))
    assert "header is too long" in refused(archive)


def test_more_members_than_may_be_are_refused(room: Path) -> None:
    archive = zipped(room / "m.zip", *((f"{number}.txt", b"") for number in range(archives.MOST_FILES + 1)))
    assert f"more than {archives.MOST_FILES} members" in refused(archive)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 cut off", b"\x1f\x8b\x08 cut off", b"Rar!\x1a\x07\x01\x00", bytes(2000)]
)
def test_what_is_no_archive_is_refused(room: Path, data: bytes) -> None:
    (room / "m.zip").write_bytes(data)
    assert "m.zip" in refused(room / "m.zip")


def test_an_archive_that_was_cut_off_leaves_nothing(room: Path) -> None:
    whole = tarred(room / "m.tar.gz", *((f"{number}.txt", bytes(range(256)) * 400) for number in range(20)))
    whole.write_bytes(whole.read_bytes()[:-200])
    assert "cannot be unpacked" in refused(whole)

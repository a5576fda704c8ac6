"""The Chinese translation has all strings of the templates and the code, and is compiled."""

from __future__ import annotations

import gettext
import re
import shutil
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import pytest

from tests.house.tree import ROOT

MESSAGES = Path("locale/zh_Hans/LC_MESSAGES")
ENTRY = re.compile(r'^(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) (?=")', re.M)
PLACES = re.compile(r"%\(\w+\)[sd]|%[sd]")


def entries(path: Path) -> list[dict[str, str]]:
    """The entries of a .po file, its header apart; each by its keywords, with "flags"."""
    found = []
    for block in path.read_text().split("\n\n")[1:]:
        parts = ENTRY.split("\n".join(line for line in block.splitlines() if not line.startswith("#")))
        said = {
            key: "".join(literal_eval(line) for line in text.split("\n") if line)
            for key, text in zip(parts[1::2], parts[2::2], strict=True)
        }
        found.append({**said, "flags": " ".join(re.findall("^#, (.*)", block, re.M))})
    return found


def test_each_has_a_translation_that_says_the_same_values() -> None:
    whole = (ROOT / MESSAGES / "django.po").read_text()
    assert "\n#~" not in whole, "run `make messages`: a translation has lost its string"
    for entry in entries(ROOT / MESSAGES / "django.po"):
        assert "fuzzy" not in entry["flags"], entry
        said = entry.get("msgstr") or entry.get("msgstr[0]")
        assert said, entry
        source = entry.get("msgid_plural") or entry["msgid"]
        if "python-format" in entry["flags"]:
            places = [sorted(PLACES.findall(text.replace("%%", ""))) for text in (source, said)]
            assert places[0] == places[1], entry


def test_what_is_compiled_is_what_is_written() -> None:
    with (ROOT / MESSAGES / "django.mo").open("rb") as compiled:
        catalog = gettext.GNUTranslations(compiled)
    for entry in entries(ROOT / MESSAGES / "django.po"):
        if "msgid_plural" in entry:
            assert catalog.ngettext(entry["msgid"], entry["msgid_plural"], 2) == entry["msgstr[0]"]
        elif "msgctxt" in entry:
            assert catalog.pgettext(entry["msgctxt"], entry["msgid"]) == entry["msgstr"]
        else:
            assert catalog.gettext(entry["msgid"]) == entry["msgstr"], "run `make messages`"


@pytest.mark.skipif(not shutil.which("xgettext"), reason="collecting needs GNU gettext")
def test_nothing_is_left_to_collect(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)  # noqa: S607 – git of the developer
    for name in listed.stdout.split("\0"):
        if name.endswith((".py", ".html", ".txt", ".po")) and not name.startswith(("tests/", "benchmarks/")):
            copy = tmp_path / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_file():
                shutil.copyfile(ROOT / name, copy)
    collect = [sys.executable, "manage.py", "makemessages", "-l", "zh_Hans", "--no-obsolete"]
    subprocess.run(collect, cwd=tmp_path, capture_output=True, check=True, env=None)  # noqa: S603 – our own command
    kept, found = (
        {(e.get("msgctxt"), e["msgid"]) for e in entries(at / MESSAGES / "django.po")} for at in (ROOT, tmp_path)
    )
    assert found - kept == set(), "run `make messages` and translate what is new"
    assert kept - found == set(), "run `make messages`: these are not used any more"

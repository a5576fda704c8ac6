"""A reader finds a concept by its name in the tree."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import ROOT, files, ours

CATCH_ALLS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "services",
    "service",
    "managers",
    "manager",
    "common",
    "misc",
    "tasks",
}
LONGEST = 300
A_TABLE = {"portal/settings.py"}


def test_no_module_is_a_catch_all() -> None:
    assert not [str(p) for p in files(".py") if p.stem in CATCH_ALLS]


@pytest.mark.parametrize("path", [p for p in files(".py") if ours(p)], ids=str)
def test_a_file_holds_one_thing_in_at_most_300_lines(path: object) -> None:
    if str(path) not in A_TABLE:
        lines = (ROOT / str(path)).read_text().count("\n")
        assert lines <= LONGEST, f"{path} has {lines} lines: split it by what it holds"


def test_no_file_names_a_package_index_or_a_machine_path() -> None:
    banned = re.compile(
        r"--(extra-)?index-url|files\.pythonhosted|registry\.npmjs|pypi\.org/simple|(^|[^a-z.\w])/(work|root|farm)/[a-z]"
    )
    found = []
    for path in files():
        if path.suffix in {".png", ".mo", ".ico", ".woff2", ".pb"} or path == path.parent / "test_names.py":
            continue
        if path.name == "test_names.py":
            continue
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1):
            if banned.search(line):
                found.append(f"{path}:{number}")
    assert not found

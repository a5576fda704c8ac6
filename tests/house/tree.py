"""The files of this repository, for the tests that read them."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LEFT_OUT = {
    ".git",
    ".venv",
    "var",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
}


def files(*suffixes: str) -> list[Path]:
    """Every file of ours that ends so, relative to the root: what git tracks, or all there is outside a checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        names = [Path(name) for name in listed.stdout.splitlines()]
    else:
        names = [p.relative_to(ROOT) for p in ROOT.rglob("*") if p.is_file() and not _LEFT_OUT & set(p.parts)]
    return sorted(p for p in names if (ROOT / p).exists() and (not suffixes or p.suffix in suffixes))


def ours(path: Path) -> bool:
    """Whether people write it by hand: no vendored library, migration or lock file."""
    return not {"vendor", "migrations"} & set(path.parts) and path.parts[0] != "requirements"

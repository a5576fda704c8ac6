"""Loads the fixtures, nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.fixtures")  # all of them: they import one another
pytest_plugins = [
    f"tests.fixtures.{file.stem}" for file in sorted((Path(__file__).parent / "fixtures").glob("[a-z]*.py"))
]

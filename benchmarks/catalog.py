"""The catalog with a hundred thousand models: how long searches, facets and pages take on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
from typing import Any

from benchmarks.usage import _binaries, _run, postgresql, sqlite

MODELS = int(os.environ.get("BENCH_MODELS", "100000"))


def measure() -> dict[str, Any]:
    """On SQLite, then on PostgreSQL where it is installed."""
    found = {}
    for vendor, place in (("sqlite", sqlite), ("postgresql", postgresql)):
        if vendor == "postgresql" and not _binaries():
            continue
        with place() as env:
            found[vendor] = measured(env, MODELS)
    return found


def measured(env: dict[str, str], models: int) -> dict[str, Any]:
    """Of an empty installation that so many models are put into."""
    _run(["manage.py", "migrate", "-v0"], env)
    found: dict[str, Any] = json.loads(_run(["-m", "benchmarks.catalog_work", str(models)], env).splitlines()[-1])
    return found


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))

"""Usage: how many events a second go to disk, and how long pages take with a hundred thousand of them and ten million."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any

from benchmarks.site import EMAIL, ROOT, pinned

FEW, MANY = 100_000, int(os.environ.get("BENCH_EVENTS", "10000000"))
PG_PORT = 8973


def measure() -> dict[str, Any]:
    """On SQLite, then on PostgreSQL where it is installed."""
    found = {}
    for vendor, place in (("sqlite", sqlite), ("postgresql", postgresql)):
        if vendor == "postgresql" and not _binaries():
            continue
        with place() as env:
            found[vendor] = measured(env, FEW, MANY)
    return found


def measured(env: dict[str, str], few: int, many: int) -> dict[str, Any]:
    """Of an empty installation: ingest, and the pages with so few and so many events."""
    for command in (["migrate", "-v0"], ["create_account", EMAIL, "--password", "bench-Passw0rd!", "--superuser"]):
        _run(["manage.py", *command], env)
    env["BENCH_KEY"] = _run(["manage.py", "create_key", EMAIL, "--rpm", "0"], env).splitlines()[-1]
    found: dict[str, Any] = {"ingest": _work(env, "ingest")}
    _work(env, "fill", "0", str(few))
    found["few"] = _work(env, "pages")
    _work(env, "fill", str(few), str(many))
    found["many"] = _work(env, "pages")
    found["events"] = many
    return found


def _work(env: dict[str, str], *what: str) -> Any:
    return json.loads(_run(["-m", "benchmarks.usage_work", *what], env).splitlines()[-1])


def _run(arguments: list[str], env: dict[str, str]) -> str:
    command = [*pinned(0), sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stderr[-3000:]}")
    return done.stdout.strip()


@contextmanager
def sqlite() -> Iterator[dict[str, str]]:
    """An installation on SQLite, deleted afterwards."""
    folder = tempfile.mkdtemp(prefix="mercato-bench-")
    try:
        yield {"MERCATO_DATA_DIR": folder, "DATABASE_URL": f"sqlite:///{folder}/mercato.sqlite3"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgresql() -> Iterator[dict[str, str]]:
    """An installation on a PostgreSQL of its own that writes to disk as it should."""
    folder = Path(tempfile.mkdtemp(prefix="mercato-bench-"))
    as_user: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    data, binaries = str(folder / "data"), _binaries()
    initdb = [*as_user, f"{binaries}/initdb", "-D", data, "-U", "mercato", "--auth=trust", "-E", "UTF8"]
    subprocess.run(initdb, check=True, capture_output=True, cwd="/")
    options = ["listen_addresses=127.0.0.1", "shared_buffers=1GB", "max_wal_size=4GB", "maintenance_work_mem=512MB"]
    server = subprocess.Popen(
        [*pinned(1), *as_user, f"{binaries}/postgres", "-D", data, "-p", str(PG_PORT), "-k", str(folder)]
        + [word for option in options for word in ("-c", option)],
        cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    home = tempfile.mkdtemp(prefix="mercato-bench-")
    try:
        time.sleep(3)
        yield {"MERCATO_DATA_DIR": home, "DATABASE_URL": f"postgres://mercato@127.0.0.1:{PG_PORT}/postgres"}
    finally:
        server.terminate()
        server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


def _binaries() -> str:
    return str(Path(found[-1]).parent) if (found := sorted(glob("/usr/lib/postgresql/*/bin/initdb"))) else ""


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))

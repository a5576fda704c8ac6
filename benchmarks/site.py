"""An installation of its own in a temporary folder, an upstream that answers at once, and loads."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PORT, UPSTREAM_PORT = 8971, 8972
EMAIL = "bench@example.com"
CHAT = {"model": "bench/m", "messages": [{"role": "user", "content": "hello there, how are you?"}]}


def pinned(core: int) -> list[str]:
    """The words before a command that keep it on a core."""
    return ["taskset", "-c", str(core)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []


class Process:
    """A program in a group of its own, ended as a group."""

    def __init__(self, core: int, command: list[str], env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*pinned(core), *command], cwd=ROOT, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def stop(self) -> None:
        for ending in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, ending)
                self.process.wait(8)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


class Site:
    """`with Site() as site`: the web process on core 0 with `bench/m` on an upstream on core 1."""

    def __init__(self, serve: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mercato-bench-"))
        self.env = {"MERCATO_DATA_DIR": str(self.folder), "PORT": str(PORT)}
        self.url, self.upstream_url = f"http://127.0.0.1:{PORT}", f"http://127.0.0.1:{UPSTREAM_PORT}/v1"
        self.key = ""
        self._serve = serve
        self._running: list[Process] = []

    def __enter__(self) -> Site:
        self.manage("migrate", "-v0")
        self.manage("create_account", EMAIL, "--password", "bench-Passw0rd!", "--credit", "100000")
        self.key = self.manage("create_key", EMAIL, "--rpm", "0").splitlines()[-1]
        self.manage("add_model", "bench/m", "--task", "chat", "--engine", "openai", "--source", self.upstream_url,
                    "--upstream-model", "m", "--price-input", "1", "--price-output", "2")  # fmt: skip
        granian = [sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws", "--port", str(UPSTREAM_PORT)]
        self._running.append(Process(1, [*granian, "--backlog", "4096", "benchmarks.upstream:app"]))
        if self._serve:
            self.start()
        return self

    def start(self) -> Process:
        """The web process, when it answers."""
        web = Process(0, [sys.executable, "manage.py", "serve", "--port", str(PORT)], self.env)
        self._running.append(web)
        self.wait(f"{self.url}/healthz")
        return web

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._running):
            process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def manage(self, *arguments: str) -> str:
        """A command's output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"manage.py {' '.join(arguments)}: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def wait(self, url: str, seconds: float = 60) -> None:
        """Until something answers there."""
        ends = time.monotonic() + seconds
        while True:
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except OSError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.1)

    def call(self, path: str, body: Any) -> Any:
        """The JSON of one call, retried while the model loads."""
        ends = time.monotonic() + 60
        while True:
            request = urllib.request.Request(
                self.url + path, json.dumps(body).encode(),
                {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
            )  # fmt: skip
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    return json.load(response)
            except OSError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.5)


def wrk(url: str, body: Any, key: str, conns: int, seconds: int) -> dict[str, float]:
    """Requests a second and latencies in milliseconds, by wrk on core 1."""
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing (Debian: apt-get install wrk)")
    script = f"wrk.method='POST'\nwrk.body=[==[{json.dumps(body)}]==]\nwrk.headers['Content-Type']='application/json'\n"
    script += f"wrk.headers['Authorization']='Bearer {key}'\n"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = [*pinned(1), "wrk", "-t1", f"-c{conns}", f"-d{seconds}", "-s", file.name, "--latency", url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def ms(share: str) -> float:
        found = re.search(share + r"\s+([\d.]+)(us|ms|s)", said)
        return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found[2]] if found else float("nan")

    rate, bad = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    assert rate is not None, said
    return {"rps": float(rate[1]), "p50_ms": ms("50%"), "p99_ms": ms("99%"), "errors": int(bad[1]) if bad else 0}

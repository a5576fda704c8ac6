"""`hf://organisation/name`: from a hub that answers, and a clear word soon where none does."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.language import decoder_folder
from tests.fixtures.servers import free_port
from tests.fixtures.serving import Installation

COMMIT = "c" * 40


class Hub(ThreadingHTTPServer):
    """What `huggingface_hub` asks of a hub, for one public model, and one that is gated."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _HubHandler)
        self.files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        self.files |= {"modeling.py": b"raise SystemExit", "consolidated.safetensors": b"once more"}
        self.given: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _HubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = path.removeprefix(f"/acme/tiny/resolve/{COMMIT}/")
        if path.startswith("/api/models/acme/tiny/tree/"):
            listed = [
                {"type": "file", "path": at, "size": len(data), "oid": "0" * 40}
                for at, data in self.server.files.items()
            ]
            self._answer(200, json.dumps(listed).encode())
        elif path.startswith("/api/models/acme/tiny"):
            self._answer(200, json.dumps({"id": "acme/tiny", "modelId": "acme/tiny", "sha": COMMIT}).encode())
        elif path.startswith("/api/models/acme/gated"):
            self._answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
        elif name in self.server.files:
            self.server.given.append(name)
            self._answer(200, self.server.files[name], {"ETag": f'"{name}"', "X-Repo-Commit": COMMIT})
        else:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    made = Hub(decoder_folder(tmp_path / "tiny", "llama"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{made.server_port}")
    yield made
    made.shutdown()
    made.server_close()


def add(installation: Installation, name: str, source: str, fails: int = 0) -> str:
    return installation.manage(
        "add_model", f"bench/{name}", "--task", "chat", "--engine", "tensorflow", "--source", source, fails=fails
    )


def test_a_model_of_the_hub_is_served_and_found_again_without_a_network(
    installation: Installation, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(installation, "from-hub", "hf://acme/tiny")
    assert {"model.safetensors", "tokenizer.json"} <= set(hub.given)
    assert not {"modeling.py", "consolidated.safetensors"} & set(hub.given), "no code, nothing twice"
    body = {"model": "bench/from-hub", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
    status, answer, _ = installation.call("/v1/chat/completions", body)
    assert status == 200, answer
    assert answer["usage"]["completion_tokens"] == 5 or answer["choices"][0]["finish_reason"] == "stop"
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    add(installation, "from-hub-again", "hf://acme/tiny")


def test_what_the_hub_refuses_is_said(installation: Installation, hub: Hub) -> None:
    assert "There is no model hf://acme/none" in add(installation, "none", "hf://acme/none", fails=2)
    assert "gated" in add(installation, "gated", "hf://acme/gated", fails=2)
    assert "There is no model" in add(installation, "odd", "hf://a/b/c", fails=2)


def test_without_a_hub_that_is_said_soon(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for port in (free_port(), silent.getsockname()[1]):
            monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
            started = time.monotonic()
            said = add(installation, "nowhere", "hf://acme/tiny", fails=2)
            assert "the hub cannot be reached: check the network" in said
            assert time.monotonic() - started < 40, "the silent one is given ten seconds"

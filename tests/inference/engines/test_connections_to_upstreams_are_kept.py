"""An upstream is asked again over the connection that is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from inference.engines.upstream import Upstream


class Counting(ThreadingHTTPServer):
    """Answers with its path; `met` is how many connections there were."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.met = 0
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.met += 1
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nabc\r\n0\r\n\r\n")
            return
        if self.path == "/last":
            self.send_header("Connection", "close")
            self.close_connection = True
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())


@pytest.fixture
def server() -> Iterator[Counting]:
    made = Counting()
    yield made
    made.shutdown()
    made.server_close()


def ask(upstream: Upstream, path: str) -> bytes:
    answer = upstream.ask("GET", path, timeout_s=5)
    try:
        return answer.whole()
    finally:
        upstream.finish(answer)


def test_one_connection_carries_request_after_request(server: Counting) -> None:
    upstream = Upstream(f"http://127.0.0.1:{server.server_port}", {})
    assert [ask(upstream, path) for path in ("/a", "/chunks", "/b", "/chunks")] == [b"/a", b"abc", b"/b", b"abc"]
    assert server.met == 1
    upstream.close()


def test_one_that_the_upstream_ends_is_not_asked_again(server: Counting) -> None:
    upstream = Upstream(f"http://127.0.0.1:{server.server_port}", {})
    assert [ask(upstream, path) for path in ("/last", "/a", "/a")] == [b"/last", b"/a", b"/a"]
    assert server.met == 2
    upstream.close()


def test_a_stream_that_was_read_to_its_end_leaves_its_connection(server: Counting) -> None:
    upstream = Upstream(f"http://127.0.0.1:{server.server_port}", {})
    for _ in range(2):
        answer = upstream.ask("GET", "/chunks", timeout_s=5)
        assert b"".join(answer.parts(0.5)) == b"abc"
        upstream.finish(answer)
    assert server.met == 1
    upstream.close()

"""A probe of an OpenAI-compatible server: what says that it is there, and what that it is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from inference.engines.engine import ReplicaSpec
from inference.engines.openai import OpenAIEngine
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec


class Listing(HTTPServer):
    """Answers a question for its models with `status`."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Listing

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        assert self.path == "/v1/models"
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


@pytest.fixture
def listing() -> Iterator[Listing]:
    made = Listing()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def engine(listing: Listing) -> Iterator[OpenAIEngine]:
    url = f"http://127.0.0.1:{listing.server_port}/v1"
    made = OpenAIEngine(ReplicaSpec("r", "openai", url, "a/b", registry.get("chat"), ModelSpec()))
    yield made
    made.unload()


@pytest.mark.parametrize("status", [200, 401, 404, 405, 429, 501])
def test_whoever_answers_is_there_also_without_a_list_of_models(
    listing: Listing, engine: OpenAIEngine, status: int
) -> None:
    listing.status = status
    assert engine.alive()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_one_that_says_that_it_fails_is_not(listing: Listing, engine: OpenAIEngine, status: int) -> None:
    listing.status = status
    assert not engine.alive()


def test_nor_is_one_that_has_gone(listing: Listing, engine: OpenAIEngine) -> None:
    assert engine.alive()
    listing.shutdown()
    listing.server_close()
    assert not engine.alive()

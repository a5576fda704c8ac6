"""Any OpenAI-compatible server: vLLM, SGLang, TGI, Ollama, llama.cpp, or a hosted one."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson

from inference.engines.engine import Piece, ReplicaSpec, Result, Work
from inference.errors import Overloaded, UpstreamFailed, UpstreamRefused

PATH = "/chat/completions"
MOST_BYTES = 32 * 1024**2  # of an answer


class OpenAIEngine:
    """Passes chat completions to an upstream and back, over connections kept one a thread."""

    def __init__(self, replica: ReplicaSpec) -> None:
        self._model = replica.model
        self._upstream_model = replica.options.get("upstream_model") or replica.model
        address = urlsplit(replica.target)
        self._secure, self._host, self._port = address.scheme == "https", address.hostname or "", address.port
        self._path = address.path.rstrip("/") + PATH
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        variable = replica.options.get("upstream_key_env")
        if variable and os.environ.get(variable):
            self._headers["Authorization"] = f"Bearer {os.environ[variable]}"
        self._kept = threading.local()

    def load(self) -> None:
        """Nothing to load: the upstream is asked when there is work."""

    def unload(self) -> None:
        """Connections end with their threads."""

    def infer(self, work: Work) -> Result:
        """See engine.Engine."""
        response = self._post(work, stream=False)
        answer = self._parsed(response)
        usage = answer.get("usage") or {}
        units = {
            "request": 1,
            "input_token": usage.get("prompt_tokens", 0),
            "output_token": usage.get("completion_tokens", 0),
        }
        if not usage:
            said = "".join(str(c.get("message", {}).get("content") or "") for c in answer.get("choices", []))
            units = {
                "request": 1,
                "input_token": _guess(work.given["messages"]),
                "output_token": _guess(said),
                "estimated": 1,
            }
        return Result(answer, units)

    def stream(self, work: Work) -> Iterator[Piece]:
        """The upstream's chunks as they come; its usage where it sends one, else tokens counted here and marked so."""
        response = self._post(work, stream=True)
        return self._pieces(work, response)

    def _pieces(self, work: Work, response: http.client.HTTPResponse) -> Iterator[Piece]:
        units = {"request": 1, "input_token": _guess(work.given["messages"]), "output_token": 0, "estimated": 1}
        finish: str | None = None
        ended = False
        try:
            for line in response:
                if not line.startswith(b"data:"):
                    continue
                data = line[5:].strip()
                if data == b"[DONE]":
                    ended = True
                    break
                chunk = orjson.loads(data)
                if chunk.get("error"):
                    raise UpstreamFailed("The upstream failed in the middle of its answer.")
                text = ""
                for choice in chunk.get("choices") or []:
                    delta = choice.get("delta") or {}
                    text += delta.get("content") or ""
                    finish = choice.get("finish_reason") or finish
                    if delta.get("content") or delta.get("tool_calls"):
                        units["output_token"] += 1
                usage = chunk.pop("usage", None)
                if usage:
                    units = {
                        "request": 1,
                        "input_token": usage.get("prompt_tokens", 0),
                        "output_token": usage.get("completion_tokens", 0),
                    }
                if chunk.get("choices"):
                    yield Piece(text, dict(units), chunk)
            if not ended and finish is None:
                raise UpstreamFailed("The upstream ended in the middle of its answer.")
            yield Piece("", dict(units), None, finish or "stop")
        except (OSError, http.client.HTTPException, orjson.JSONDecodeError) as error:
            raise UpstreamFailed("The upstream failed in the middle of its answer.") from error
        finally:
            # Closing is how the upstream learns that nobody listens any more.
            if not ended:
                self._drop()
            response.close()

    def _post(self, work: Work, stream: bool) -> http.client.HTTPResponse:
        """The upstream's answer to the work. Raises UpstreamFailed or Overloaded before its first byte, UpstreamRefused."""
        body = {**work.given, "model": self._upstream_model}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        sent = orjson.dumps(body)
        for fresh in (False, True):
            connection, kept = self._connection(work.timeout_s, fresh)
            try:
                connection.request("POST", self._path, sent, self._headers)
                response = connection.getresponse()
                break
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                # A kept connection may have been closed at the other end since; a fresh one that fails means it is down.
                if not kept or isinstance(error, TimeoutError):
                    raise UpstreamFailed(
                        f"The upstream of {self._model} cannot be reached.", retry_after_s=2
                    ) from error
        if response.status < 300:
            return response
        self._refuse(response)
        raise AssertionError("unreachable")

    def _refuse(self, response: http.client.HTTPResponse) -> None:
        status = response.status
        said = ""
        try:
            parsed = orjson.loads(response.read(MOST_BYTES))
            said = str(parsed["error"]["message"])[:300]
        except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
            pass
        self._drop()
        if status == 429 or status == 503:
            raise Overloaded(f"The upstream of {self._model} is overloaded.", retry_after_s=2)
        if status >= 500 or status in (401, 403, 404):
            raise UpstreamFailed(f"The upstream of {self._model} fails with {status}.")
        raise UpstreamRefused(said or f"The upstream of {self._model} refuses the request with {status}.", status=400)

    def _parsed(self, response: http.client.HTTPResponse) -> dict[str, Any]:
        try:
            answer = orjson.loads(response.read(MOST_BYTES))
        except (OSError, http.client.HTTPException, orjson.JSONDecodeError) as error:
            self._drop()
            raise UpstreamFailed(f"The upstream of {self._model} gave no valid answer.") from error
        if not isinstance(answer, dict):
            raise UpstreamFailed(f"The upstream of {self._model} gave no valid answer.")
        return answer

    def _connection(self, timeout_s: float, fresh: bool) -> tuple[http.client.HTTPConnection, bool]:
        """This thread's connection, and whether it was used before."""
        kept: http.client.HTTPConnection | None = None if fresh else getattr(self._kept, "connection", None)
        if kept is not None and kept.sock is not None:
            kept.sock.settimeout(timeout_s)
            return kept, True
        made: http.client.HTTPConnection
        if self._secure:
            made = http.client.HTTPSConnection(
                self._host, self._port, timeout=timeout_s, context=ssl.create_default_context()
            )
        else:
            made = http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        try:
            made.connect()
            made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise UpstreamFailed(f"The upstream of {self._model} cannot be reached.", retry_after_s=2) from error
        self._kept.connection = made
        return made, False

    def _drop(self) -> None:
        connection = getattr(self._kept, "connection", None)
        self._kept.connection = None
        if connection is not None:
            connection.close()


def _guess(said: Any) -> int:
    """Tokens of a text when the upstream counts none: four characters each, as English has on average."""
    text = said if isinstance(said, str) else orjson.dumps(said).decode()
    return -(-len(text) // 4)

"""Any Open Inference Protocol v2 server: Triton, KServe, MLServer, OpenVINO Model Server, a Ray Serve application."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any

import orjson

from inference.engines import tensors
from inference.engines.batching import Arrays, Batcher
from inference.engines.engine import Piece, ReplicaSpec, Result, Work
from inference.engines.upstream import Upstream, UpstreamGone
from inference.errors import Overloaded, UpstreamFailed, UpstreamRefused, WrongProtocol

MOST_ROWS, MOST_WAITING = 64, 256
BINARY = "binary_tensor_data"


class OipEngine:
    """Sends tensors to an upstream, as bytes where it takes them. The option `batch` joins requests on their way."""

    memory_bytes = 0

    def __init__(self, replica: ReplicaSpec) -> None:
        self._replica = replica
        name = replica.options.get("upstream_model") or replica.model
        version = replica.options.get("upstream_version")
        self._path = f"/v2/models/{name}" + (f"/versions/{version}" if version else "")
        headers = {}
        variable = replica.options.get("upstream_key_env")
        if variable and os.environ.get(variable):
            headers["Authorization"] = f"Bearer {os.environ[variable]}"
        self._upstream = Upstream(replica.target, headers)
        self._binary = False
        self._batcher: Batcher | None = None

    def load(self) -> None:
        """Asks what the server can. One that does not answer now may later: it is then asked in JSON."""
        try:
            self._binary = BINARY in (self._get("/v2").get("extensions") or [])
        except UpstreamFailed:
            self._binary = False
        if self._replica.options.get("batch"):
            self._batcher = Batcher(lambda arrays: self._infer(arrays, 60.0), MOST_ROWS, MOST_WAITING)

    def unload(self) -> None:
        """Closes idle connections."""
        self._upstream.close()

    def alive(self) -> bool:
        """Whether the server says that the model is ready."""
        try:
            answer = self._upstream.ask("GET", f"{self._path}/ready", timeout_s=3)
            answer.whole()
        except UpstreamGone:
            return False
        self._upstream.finish(answer)
        return answer.status < 300

    def metadata(self) -> dict[str, Any]:
        """What the server says of the model. Raises UpstreamFailed."""
        return self._get(self._path)

    def infer(self, work: Work) -> Result:
        """See engine.Engine."""
        task, spec = self._replica.task, self._replica.spec
        arrays = work.given if work.raw else task.codec.prepare(work.given, spec)
        run = self._batcher.run if self._batcher is not None else self._infer
        outputs = run(arrays, work.timeout_s)
        if work.raw:
            rows = len(next(iter(work.given.values())))
            return Result(outputs, {"request": 1, task.row_unit: rows})
        return Result(task.codec.present(work.given, outputs, spec), {"request": 1, **task.codec.units(work.given)})

    def stream(self, work: Work) -> Iterator[Piece]:
        """Tensors do not stream."""
        raise WrongProtocol(f"{self._replica.model} does not stream: ask for the whole answer.")

    def _infer(self, arrays: Arrays, timeout_s: float) -> Arrays:
        body, length = tensors.request(arrays, self._binary)
        headers = {"Content-Type": "application/octet-stream" if length is not None else "application/json"}
        if length is not None:
            headers["Inference-Header-Content-Length"] = str(length)
        try:
            answer = self._upstream.ask("POST", f"{self._path}/infer", body, headers, timeout_s)
            said = answer.whole()
        except UpstreamGone as error:
            how = "did not answer in time" if error.timed_out else "cannot be reached"
            raise UpstreamFailed(f"The upstream of {self._replica.model} {how}.", retry_after_s=2) from error
        self._upstream.finish(answer)
        if answer.status >= 300:
            raise self._refusal(answer.status, said)
        header = answer.headers.get("inference-header-content-length")
        try:
            return tensors.answer(said, int(header) if header is not None else None)
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise UpstreamFailed(f"The upstream of {self._replica.model} gave no valid answer.") from error

    def _get(self, path: str) -> dict[str, Any]:
        try:
            answer = self._upstream.ask("GET", path, timeout_s=10)
            said = answer.whole()
            self._upstream.finish(answer)
            found = orjson.loads(said)
        except (UpstreamGone, orjson.JSONDecodeError) as error:
            raise UpstreamFailed(f"{self._replica.target} does not answer as a server of the protocol does.") from error
        if answer.status >= 300 or not isinstance(found, dict):
            raise UpstreamFailed(f"{self._replica.target} answers {path} with {answer.status}.")
        return found

    def _refusal(self, status: int, said: bytes) -> Overloaded | UpstreamFailed | UpstreamRefused:
        """What the server's error is to our caller."""
        if status in (429, 503):
            return Overloaded(f"The upstream of {self._replica.model} is overloaded.", retry_after_s=2)
        if status >= 500 or status in (401, 403, 404):
            return UpstreamFailed(f"The upstream of {self._replica.model} fails with {status}.")
        try:
            message = str(orjson.loads(said)["error"])[:300]
        except (ValueError, KeyError, TypeError):
            message = f"The upstream of {self._replica.model} refuses the request with {status}."
        return UpstreamRefused(message, status=400)

"""Any server of the Open Inference Protocol v2: Triton, KServe, MLServer, OpenVINO Model Server, another Mercato.

https://github.com/kserve/open-inference-protocol
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson

from inference.engines import tensors
from inference.engines.batching import Arrays, Batcher
from inference.engines.engine import Piece, ReplicaSpec, Result, Work
from inference.engines.upstream import Answer, Upstream, UpstreamGone
from inference.errors import UpstreamBusy, UpstreamFailed, UpstreamRefused, WrongProtocol
from marketplace.tasks.embeddings import counted
from marketplace.tasks.oip import place_of

BINARY = "binary_tensor_data"  # the extension by which tensors travel as bytes
JOINED_S = 60.0  # for the answer to requests that were joined: each of them has its own deadline
ASKED_S = 5.0  # for what the server says about itself


class OipEngine:
    """Sends a task's tensors to an upstream and makes the task's output of those that come back."""

    memory_bytes = 0

    def __init__(self, replica: ReplicaSpec) -> None:
        self._replica = replica
        root, self._path = place_of(replica.target, str(replica.options.get("upstream_model") or replica.model))
        self._upstream = Upstream(root, {"Accept": "*/*", **self.headers(replica)})
        # None until the server was asked. It may be down when this process starts, and another place may do meanwhile.
        self._binary: bool | None = None
        most = int(replica.options.get("batch") or 0)
        self._joined = (
            Batcher(lambda arrays: self._ask(arrays, JOINED_S), most, replica.queue_max) if most > 1 else None
        )

    def headers(self, replica: ReplicaSpec) -> dict[str, str]:
        """What every request carries: the key, if there is one."""
        key = os.environ.get(str(replica.options.get("upstream_key_env") or ""))
        return {"Authorization": f"Bearer {key}"} if key else {}

    def load(self) -> None:
        """Nothing to load: the upstream is asked when there is work."""

    def unload(self) -> None:
        """Closes idle connections; those at work end by themselves."""
        self._upstream.close()

    def alive(self) -> bool:
        """Whether the upstream says that the model is ready."""
        try:
            status, _ = _get(self._upstream, f"{self._path}/ready")
        except UpstreamGone:
            return False
        return status == 200

    def infer(self, work: Work) -> Result:
        """See engine.Engine."""
        task, spec = self._replica.task, self._replica.spec
        if work.raw:
            rows = len(next(iter(work.given.values())))
            return Result(self._run(work.given, work), {"request": 1, task.row_unit: rows})
        outputs = self._run(task.codec.prepare(work.given, spec), work)
        units = {"request": 1, **task.codec.units(work.given), **counted(task, work.given, outputs)}
        return Result(task.codec.present(work.given, outputs, spec), units)

    def stream(self, work: Work) -> Iterator[Piece]:
        """Always raises WrongProtocol: the protocol has whole answers only."""
        raise WrongProtocol(f"{self._replica.model} does not stream: ask for the whole answer.")

    def speaks_binary(self) -> bool:
        """Whether the server takes and gives tensors as bytes, by its own word. Raises UpstreamGone."""
        status, said = _get(self._upstream, "/v2")
        if status >= 500:
            raise UpstreamGone
        try:
            return status == 200 and BINARY in orjson.loads(said)["extensions"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return False  # some servers say nothing about themselves

    def _run(self, arrays: Arrays, work: Work) -> Arrays:
        if self._joined:
            return self._joined.run(arrays, work.timeout_s)
        return self._ask(arrays, work.timeout_s, work.stop)

    def _ask(self, arrays: Arrays, timeout_s: float, stop: Callable[[], bool] | None = None) -> Arrays:
        """The outputs. Raises UpstreamFailed, UpstreamBusy or UpstreamRefused."""
        model, spec = self._replica.model, self._replica.spec
        given = {
            t.name: arrays[t.name] if t.dtype == "str" else np.asarray(arrays[t.name], t.dtype) for t in spec.inputs
        }
        try:
            if self._binary is None:
                self._binary = self.speaks_binary()
            body, length = tensors.request(given, self._binary)
            headers = {"Content-Type": "application/json"}
            if length is not None:
                headers = {
                    "Content-Type": "application/octet-stream",
                    "Inference-Header-Content-Length": str(length),
                }
            answer = self._upstream.ask("POST", f"{self._path}/infer", body, headers, timeout_s, stop)
            said = _whole(self._upstream, answer)
        except UpstreamGone as error:
            if error.timed_out:
                raise UpstreamFailed(f"The upstream of {model} did not answer in time.") from error
            raise UpstreamFailed(f"The upstream of {model} cannot be reached.", retry_after_s=2) from error
        if answer.status >= 300:
            raise refusal(model, answer.status, said, answer.retry_after_s)
        length_said = answer.headers.get("inference-header-content-length", "")
        try:
            return tensors.fitted(spec, tensors.answer(said, int(length_said) if length_said else None))
        except (KeyError, TypeError, AttributeError, ValueError, struct.error) as error:
            raise UpstreamFailed(f"The upstream of {model} gave no valid answer: {str(error)[:200]}") from error


def _get(upstream: Upstream, path: str) -> tuple[int, bytes]:
    answer = upstream.ask("GET", path, timeout_s=ASKED_S)
    said = _whole(upstream, answer)
    return answer.status, said


def _whole(upstream: Upstream, answer: Answer) -> bytes:
    try:
        return answer.whole()
    finally:
        upstream.finish(answer)


def refusal(
    model: str, status: int, said: bytes, retry_after_s: float | None = None
) -> UpstreamBusy | UpstreamFailed | UpstreamRefused:
    """What an upstream's error is to our caller; only what is the caller's to change repeats the upstream's words."""
    if status in (429, 503):
        return UpstreamBusy(f"The upstream of {model} is overloaded.", retry_after_s=retry_after_s or 2)
    if status >= 500 or status in (401, 403, 404):
        return UpstreamFailed(f"The upstream of {model} fails with {status}.")
    try:
        error: Any = orjson.loads(said)["error"]
        message = str(error["message"] if isinstance(error, dict) else error)[:300]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        message = ""
    return UpstreamRefused(message or f"The upstream of {model} refuses the request with {status}.", status=400)

"""Any OpenAI-compatible server: vLLM, SGLang, TGI, Ollama, llama.cpp, or a hosted one."""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from inference.engines.engine import Piece, ReplicaSpec, Result, Work
from inference.engines.upstream import Answer, Upstream, UpstreamGone
from inference.errors import DeadlinePassed, UpstreamBusy, UpstreamFailed, UpstreamRefused

PATHS = {
    "chat": "/chat/completions",
    "text-generation": "/completions",
    "embeddings": "/embeddings",
    "image-generation": "/images/generations",
}
IDLE_S = 0.5  # how often a silent stream gives an empty piece, so that a reader who left is noticed


class OpenAIEngine:
    """Passes a task's work to an upstream and its answer back."""

    memory_bytes = 0

    def __init__(self, replica: ReplicaSpec) -> None:
        self._replica = replica
        self._upstream_model = replica.options.get("upstream_model") or replica.model
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        variable = replica.options.get("upstream_key_env")
        if variable and os.environ.get(variable):
            headers["Authorization"] = f"Bearer {os.environ[variable]}"
        self._upstream = Upstream(replica.target, headers)

    def load(self) -> None:
        """Nothing to load: the upstream is asked when there is work."""

    def unload(self) -> None:
        """Closes idle connections; those at work end by themselves."""
        self._upstream.close()

    def alive(self) -> bool:
        """Whether the upstream answers. Any status below 500 says that it is there; so does 501, where it lists no models."""
        try:
            answer = self._upstream.ask("GET", "/models", timeout_s=3)
            answer.whole()
        except UpstreamGone:
            return False
        self._upstream.finish(answer)
        return answer.status < 500 or answer.status == 501

    def infer(self, work: Work) -> Result:
        """See engine.Engine."""
        answer = self._ask(work, stream=False)
        try:
            content = orjson.loads(answer.whole())
        except (UpstreamGone, orjson.JSONDecodeError) as error:
            raise UpstreamFailed(f"The upstream of {self._replica.model} gave no valid answer.") from error
        finally:
            self._upstream.finish(answer)
        try:
            return Result(_from_upstream(self._form(work), content), _units(work.given, content))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise UpstreamFailed(f"The upstream of {self._replica.model} gave no valid answer.") from error

    def _form(self, work: Work) -> str:
        """The task whose interface the work is for: a model that converses may be given a bare prompt."""
        task = self._replica.task.name
        return "text-generation" if task == "chat" and "messages" not in work.given else task

    def stream(self, work: Work) -> Iterator[Piece]:
        """The upstream's chunks as they come; its usage where it sends one, else tokens counted here and marked so."""
        return self._pieces(work, self._ask(work, stream=True))

    def _pieces(self, work: Work, answer: Answer) -> Iterator[Piece]:
        units = {"request": 1, "input_token": _guess(_said(work.given)), "output_token": 0, "estimated": 1}
        finish: str | None = None
        stop: str | None = None
        rest = b""
        try:
            for part in answer.parts(IDLE_S):
                if not part:
                    yield Piece("", units)
                    continue
                lines = (rest + part).split(b"\n")
                rest = lines.pop()
                natives, text = [], ""
                for line in lines:
                    if not line.startswith(b"data:"):
                        continue
                    data = line[5:].strip()
                    if data == b"[DONE]":
                        continue  # what follows it, if anything, is read so that the connection can be kept
                    chunk = orjson.loads(data)
                    if chunk.get("error"):
                        raise UpstreamFailed("The upstream failed in the middle of its answer.")
                    usage = chunk.pop("usage", None)
                    if usage:
                        units = _counted(usage)
                    for choice in chunk.get("choices") or ():
                        finish = choice.get("finish_reason") or finish
                        stop = stop_of(choice) or stop
                        delta = choice.get("delta") or choice
                        said = delta.get("content") or delta.get("text") or ""
                        text += said
                        if "estimated" in units and (said or delta.get("tool_calls") or reasoning_of(delta)):
                            units = {**units, "output_token": units["output_token"] + 1}
                    if chunk.get("choices"):
                        natives.append(chunk)
                if natives:
                    yield Piece(text, units, tuple(natives))
            if finish is None:
                raise UpstreamFailed("The upstream ended in the middle of its answer.")
            yield Piece("", units, finish=finish, stop=stop)
        except UpstreamGone as error:
            if error.timed_out:
                raise DeadlinePassed("The upstream took too long for its answer.") from error
            raise UpstreamFailed("The upstream failed in the middle of its answer.") from error
        except (orjson.JSONDecodeError, AttributeError, TypeError) as error:
            raise UpstreamFailed("The upstream failed in the middle of its answer.") from error
        finally:
            self._upstream.finish(answer)

    def _ask(self, work: Work, stream: bool) -> Answer:
        """The upstream's answer to the work. Raises UpstreamFailed or UpstreamBusy before its first byte, UpstreamRefused."""
        form = self._form(work)
        body = {**_to_upstream(form, work.given), "model": self._upstream_model}
        options = body.pop("stream_options", None) or {}
        body.pop("stream", None)  # an input of predictions may have it; how the answer comes is told apart from it
        if stream:
            body |= {"stream": True, "stream_options": {**options, "include_usage": True}}
        try:
            answer = self._upstream.ask(
                "POST", PATHS[form], orjson.dumps(body), timeout_s=work.timeout_s, stop=work.stop
            )
            if answer.status < 300:
                return answer
            said = answer.whole()
        except UpstreamGone as error:
            if error.timed_out:
                raise UpstreamFailed(f"The upstream of {self._replica.model} did not answer in time.") from error
            raise UpstreamFailed(
                f"The upstream of {self._replica.model} cannot be reached.", retry_after_s=2
            ) from error
        self._upstream.finish(answer)
        if form != self._replica.task.name and answer.status in (404, 405, 501):
            # It has chat alone: no failure of this replica, whose other callers are served well.
            raise UpstreamRefused(f"The upstream of {self._replica.model} converses only: send messages.", status=400)
        raise refusal(self._replica.model, answer.status, said, answer.retry_after_s)


def _to_upstream(task: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The upstream's fields for a task's."""
    if task == "embeddings":
        rest = {name: value for name, value in given.items() if name != "texts"}
        return {**rest, "input": given["texts"], "encoding_format": "float"}
    if task == "image-generation":
        return {**given, "response_format": "b64_json"}
    return given


def _from_upstream(task: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The task's output of an upstream's answer, and all that the answer says of language. Raises KeyError, TypeError, …"""
    if task == "embeddings":
        ordered = sorted(answer["data"], key=lambda item: item["index"])
        return {"embeddings": [_vector(item["embedding"]) for item in ordered]}
    if task == "image-generation":
        return {"images": [item["b64_json"] for item in answer["data"]]}
    if task == "text-generation":
        choice = answer["choices"][0]
        return {**answer, "text": choice["text"], "finish_reason": choice.get("finish_reason") or "stop"}
    answer["choices"][0]
    return answer


def stop_of(choice: Mapping[str, Any]) -> str | None:
    """The stop sequence that ended a choice, where the upstream tells: vLLM and SGLang do. A number is a token's."""
    found = choice.get("stop_reason") or choice.get("matched_stop")
    return found if isinstance(found, str) else None


def reasoning_of(said: Mapping[str, Any]) -> str:
    """What a model thought before it said something, where the upstream tells: vLLM, SGLang, DeepSeek, Ollama."""
    found = said.get("reasoning_content") or said.get("reasoning")
    return found if isinstance(found, str) else ""


def _vector(written: Any) -> list[float]:
    """A vector that came as numbers, or as base64 of little-endian float32."""
    if isinstance(written, str):
        raw = base64.b64decode(written)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return list(written)


def refusal(
    model: str, status: int, said: bytes, retry_after_s: float | None = None
) -> UpstreamBusy | UpstreamFailed | UpstreamRefused:
    """What an upstream's error is to our caller; only what is the caller's to change repeats the upstream's words."""
    if status in (429, 503):
        return UpstreamBusy(f"The upstream of {model} is overloaded.", retry_after_s=retry_after_s or 2)
    if status >= 500 or status in (401, 403, 404):
        return UpstreamFailed(f"The upstream of {model} fails with {status}.")
    try:
        message = str(orjson.loads(said)["error"]["message"])[:300]
    except (ValueError, KeyError, TypeError):
        message = ""
    return UpstreamRefused(message or f"The upstream of {model} refuses the request with {status}.", status=400)


def _units(given: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, int]:
    """What an answer used: as the upstream counted, else as guessed here and marked so."""
    data = answer.get("data")
    images = {"image": len(data)} if data and "b64_json" in data[0] else {}
    usage = answer.get("usage")
    if usage:
        return {**_counted(usage), **images}
    if images:
        return {"request": 1, **images}
    said = "".join(
        str((choice.get("message") or choice).get("content") or choice.get("text") or "")
        for choice in answer.get("choices") or ()
    )
    return {"request": 1, "input_token": _guess(_said(given)), "output_token": _guess(said), "estimated": 1}


def _counted(usage: Mapping[str, Any]) -> dict[str, int]:
    """Of the tokens read, those from the upstream's cache are counted apart: they may have a price of their own."""
    read = int(usage.get("prompt_tokens") or usage.get("input_tokens") or 0)
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    cached = min(max(int(details.get("cached_tokens") or 0), 0), read)
    units = {
        "request": 1,
        "input_token": read - cached,
        "output_token": int(usage.get("completion_tokens") or usage.get("output_tokens") or 0),
    }
    return {**units, "cached_input_token": cached} if cached else units


def _said(given: Mapping[str, Any]) -> Any:
    return given.get("messages") or given.get("prompt") or given.get("texts") or ""


def _guess(said: Any) -> int:
    """Tokens of a text when the upstream counts none: four characters each, as English has on average."""
    text = said if isinstance(said, str) else orjson.dumps(said).decode()
    return -(-len(text) // 4)

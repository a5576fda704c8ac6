"""POST /v1/responses"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from inference.api import streaming
from inference.api.openai import responses_wire as wire
from inference.api.view import PredictionView
from inference.predict import Stream
from portal.accounts.wire import problems


class Responses(PredictionView):
    """An answer to input items, whole or streamed."""

    def post(self, request: Request) -> HttpResponseBase:
        body = self.body(request)
        call, stream = wire.call_of(body, self.caller, self.request_id)
        if stream:
            return self.events(events(self.stream(call), self.request_id, body))
        outcome = self.run(call)
        return self.answer(outcome, wire.response(outcome, body))


class _Items:
    """The output items of one answer as its parts come, and the events that tell of them."""

    def __init__(self, request_id: str) -> None:
        self._name = f"msg_{request_id}"
        self._number = -1
        self._text: str | None = None  # of the message that is open
        self._calls: dict[int, dict[str, Any]] = {}  # OpenAI's index → the function call that is open
        self._places: dict[int, int] = {}  # … → its place in the output
        self.output: list[dict[str, Any]] = []

    def event(self, kind: str, **said: Any) -> bytes:
        """One event, numbered."""
        self._number += 1
        return streaming.event(kind, {"type": kind, "sequence_number": self._number, **said})

    def text(self, text: str) -> bytes:
        """A part of the message's text."""
        begun = b""
        if self._text is None:
            self._text = ""
            item = {**wire.text_item(self._name, "", "in_progress"), "content": []}
            self.output.append(item)
            begun = self.event("response.output_item.added", output_index=len(self.output) - 1, item=item)
            part = {"type": "output_text", "text": "", "annotations": []}
            begun += self.event("response.content_part.added", **self._at(), part=part)
        self._text += text
        return begun + self.event("response.output_text.delta", **self._at(), delta=text, logprobs=[])

    def tool(self, call: Mapping[str, Any]) -> bytes:
        """A part of a function call, as chat completions give it."""
        index, function = call.get("index", 0), call.get("function") or {}
        begun = b""
        if index not in self._calls:
            begun = self._close_text()
            item = wire.tool_item(str(call.get("id")), function.get("name", ""), "", "in_progress")
            self._calls[index], self._places[index] = item, len(self.output)
            self.output.append(item)
            begun += self.event("response.output_item.added", output_index=self._places[index], item=dict(item))
        item = self._calls[index]
        if not function.get("arguments"):
            return begun
        item["arguments"] += function["arguments"]
        return begun + self.event(
            "response.function_call_arguments.delta",
            item_id=item["id"], output_index=self._places[index], delta=function["arguments"],
        )  # fmt: skip

    def close(self) -> bytes:
        """Ends what is open."""
        said = self._close_text()
        for index, item in self._calls.items():
            item["status"] = "completed"
            at = self._places[index]
            said += self.event(
                "response.function_call_arguments.done",
                item_id=item["id"], output_index=at, arguments=item["arguments"], name=item["name"],
            )  # fmt: skip
            said += self.event("response.output_item.done", output_index=at, item=item)
        return said

    def _close_text(self) -> bytes:
        if self._text is None:
            return b""
        text, place = self._text, self._at()
        item = wire.text_item(self._name, text, "completed")
        self.output[place["output_index"]] = item
        self._text = None
        said = self.event("response.output_text.done", **place, text=text, logprobs=[])
        said += self.event("response.content_part.done", **place, part=item["content"][0])
        return said + self.event("response.output_item.done", output_index=place["output_index"], item=item)

    def _at(self) -> dict[str, Any]:
        place = next(at for at, item in enumerate(self.output) if item["type"] == "message")
        return {"item_id": self._name, "output_index": place, "content_index": 0}


def events(stream: Stream, request_id: str, asked: Mapping[str, Any]) -> Iterator[bytes]:
    """The stream as OpenAI's typed events; an error in the middle is response.failed."""
    items = _Items(request_id)
    frame = wire.frame(f"resp_{request_id}", stream.resolved.slug, asked)
    finish: str | None = None
    try:
        yield items.event("response.created", response=frame)
        yield items.event("response.in_progress", response=frame)
        for piece in stream:
            finish = piece.finish or finish
            said = b""
            for chunk in piece.native:
                for choice in chunk.get("choices") or ():
                    delta = choice.get("delta") or {"content": choice.get("text")}
                    said += items.text(delta["content"]) if delta.get("content") else b""
                    said += b"".join(items.tool(call) for call in delta.get("tool_calls") or ())
            if piece.text and not piece.native:
                said = items.text(piece.text)
            if said or not piece.finish:
                yield said or streaming.KEEP_ALIVE
        assert stream.outcome is not None, "a stream that ended was settled"
        yield items.close()
        whole = {**frame, **wire.ended(stream.outcome, items.output, finish)}
        yield items.event(f"response.{whole['status']}", response=whole)
    except Exception as error:
        problem = problems.as_problem(error)
        failed = {"code": "server_error", "message": problem.message}
        yield items.event("response.failed", response={**frame, "status": "failed", "error": failed})

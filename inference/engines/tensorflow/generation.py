"""Causal language models of KerasHub, from its own folders or Hugging Face's: text and chat, token by token."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from inference.engines import fields
from inference.engines.engine import Piece, ReplicaSpec, Result, Work
from inference.engines.tensorflow.decoders import decoder_of
from inference.engines.tensorflow.library import collect, keras_hub, size_of, tensorflow
from inference.engines.tensorflow.sampling import Sampler
from inference.engines.tensorflow.scheduler import Scheduler, Text
from inference.engines.tensorflow.tokens import Tokens
from inference.errors import ContextTooLong, WrongProtocol
from marketplace.errors import InputInvalid, ModelNotReady
from marketplace.training.artifact import read_json

DEFAULT_TOKENS = 256


class Generator:
    """See engine.Engine. Texts that are generated at the same time share each step of the model."""

    def __init__(self, replica: ReplicaSpec) -> None:
        self._replica, self._place = replica, Path(replica.target)
        self.memory_bytes = 0
        self._tokens: Tokens | None = None
        self._scheduler: Scheduler | None = None
        self._context = 0
        self._heat = _heat_of(self._place)

    def load(self) -> None:
        """Reads weights and tokenizer, compiles the steps. Raises ModelNotReady."""
        tf = tensorflow()
        try:
            model = keras_hub().models.CausalLM.from_preset(str(self._place), preprocessor=None, dtype="float32")
        except Exception as error:  # the library raises whatever its parsers raise
            raise ModelNotReady(f"{self._replica.model} cannot be loaded: {str(error)[:200]}") from error
        self._tokens = Tokens(self._place)
        decoder = decoder_of(tf, model)
        self._scheduler = Scheduler(decoder, self._replica.queue_max)
        self._context = decoder.context
        self.memory_bytes = size_of(model) + decoder.cache_bytes
        del model
        collect()

    def unload(self) -> None:
        """See engine.Engine."""
        scheduler, self._scheduler, self._tokens = self._scheduler, None, None
        if scheduler is not None:
            scheduler.close()
        del scheduler
        collect()

    def alive(self) -> bool:
        """It is in this process."""
        return True

    def infer(self, work: Work) -> Result:
        """See engine.Engine."""
        return whole(self.stream(work))

    def stream(self, work: Work) -> Iterator[Piece]:
        """See engine.Engine. Raises InputInvalid, ContextTooLong, Overloaded."""
        if work.raw:
            raise WrongProtocol(f"{self._replica.model} generates text: call it by chat completions or predictions.")
        if self._tokens is None or self._scheduler is None:
            raise ModelNotReady(f"{self._replica.model} was unloaded: try again.", retry_after_s=1)
        given = work.given
        fields.check(self._replica.model, "chat", given)
        prompt = self._prompt(given)
        room = self._context - len(prompt)
        if room < 1:
            raise ContextTooLong(
                f"The prompt has {len(prompt)} tokens, and this model holds {self._context}: shorten it.",
                param="/messages" if "messages" in given else "/prompt",
            )
        most = min(given.get("max_completion_tokens") or given.get("max_tokens") or DEFAULT_TOKENS, room)
        sampler = Sampler(given, (1.0 if "messages" in given else 0.7) if self._heat is None else self._heat)
        text = Text(prompt, most, sampler, self._tokens.ends, time.monotonic() + work.timeout_s)
        return pieces(self._scheduler.generate(text), self._tokens.reader(), given.get("stop"), len(prompt), most)

    def _prompt(self, given: Mapping[str, Any]) -> list[int]:
        assert self._tokens is not None
        if "messages" not in given:
            return self._tokens.encode(given["prompt"])
        messages = []
        for at, message in enumerate(given["messages"]):
            if message.get("role") not in ("system", "developer", "user", "assistant"):
                raise InputInvalid("This model runs here and cannot use tools.", param=f"/messages/{at}/role")
            for name in ("tool_calls", "function_call", "audio"):
                if message.get(name):
                    raise InputInvalid(f"This model runs here and cannot use {name}.", param=f"/messages/{at}/{name}")
            messages.append({**message, "content": _plain(message.get("content"), at)})
        return self._tokens.prompt(messages)


def _heat_of(place: Path) -> float | None:
    """The temperature that the folder asks for where a caller names none: 0 where it says that nothing is drawn by chance."""
    settings = read_json(place / "generation_config.json")
    heat = 0.0 if settings.get("do_sample") is False else settings.get("temperature")
    return float(heat) if isinstance(heat, int | float) and 0 <= heat <= 2 else None


def _plain(content: Any, at: int) -> str:
    """The text of a message. Raises InputInvalid for anything that is not text."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    if not parts or not all(isinstance(part, dict) and part.get("type") == "text" for part in parts):
        raise InputInvalid("This model reads text only.", param=f"/messages/{at}/content")
    return "".join(str(part.get("text", "")) for part in parts)


def whole(pieces: Iterator[Piece]) -> Result:
    """The pieces as one answer."""
    text, last = "", None
    for last in pieces:
        text += last.text
    assert last is not None, "a stream ends with a piece that says how"
    stopped = {} if last.stop is None else {"stop_sequence": last.stop}
    return Result({"text": text, "finish_reason": last.finish, **stopped}, last.units)


def pieces(
    tokens: Iterator[int], read: Callable[[int], str], stop: str | list[str] | None, prompt: int, most: int
) -> Iterator[Piece]:
    """Text as it becomes certain: what may be the beginning of a stop sequence is held back until it is known."""
    stops = [stop] if isinstance(stop, str) else stop or []
    stops = [one for one in stops if one]
    held, count = "", 0
    try:
        for token in tokens:
            count += 1
            held += read(token)
            units = {"request": 1, "input_token": prompt, "output_token": count}
            at, found = min(((at, one) for one in stops if (at := held.find(one)) >= 0), default=(-1, ""))
            if found:
                yield Piece(held[:at], units, finish="stop", stop=found)
                return
            keep = max((_overlap(held, one) for one in stops), default=0)
            said, held = held[: len(held) - keep], held[len(held) - keep :]
            if said:
                yield Piece(said, units)
        units = {"request": 1, "input_token": prompt, "output_token": count}
        yield Piece(held, units, finish="length" if count >= most else "stop")
    finally:
        tokens.close()  # type: ignore[attr-defined] # a generator


def _overlap(text: str, stop: str) -> int:
    """How many of the last characters of the text begin the stop sequence."""
    for size in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0

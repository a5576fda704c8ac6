"""Continuous batching: texts join and leave the batch between two steps, each in a slot of its own."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from inference.engines.engine import QUEUE_MAX
from inference.engines.tensorflow.decoders import Decoder
from inference.engines.tensorflow.sampling import Sampler
from inference.errors import DeadlinePassed, Overloaded

CHUNK = 64  # tokens of a prompt read between two steps, so that a long one does not hold the others up
IDLE_S = 5.0  # the thread ends when there was no work for so long
JOIN_S = 1.0  # to wait for its end


@dataclass(slots=True, eq=False)
class Text:
    """One text being generated. `given` gets its tokens, and at the end None or what went wrong."""

    prompt: Sequence[int]
    most: int
    sampler: Sampler
    ends: frozenset[int]
    deadline: float  # time.monotonic()
    given: queue.SimpleQueue[int | None | Exception] = field(default_factory=queue.SimpleQueue)
    left: bool = False  # nobody reads it any more
    slot: int = -1
    read: int = 0  # tokens of the prompt that are in the slot
    written: int = 0
    last: int = 0


class Scheduler:
    """One thread a model while there is work; none when there is none."""

    def __init__(self, decoder: Decoder, most_waiting: int = QUEUE_MAX) -> None:
        self._decoder = decoder
        self._most_waiting = most_waiting
        self._guard = threading.Condition()
        self._waiting: deque[Text] = deque()
        self._thread: threading.Thread | None = None
        self._slots: list[Text | None] = [None] * decoder.slots
        self._closed = False

    def generate(self, text: Text) -> Iterator[int]:
        """The text's tokens as they come; closing the iterator frees its slot before the next step.

        Raises Overloaded (503) at once when too many wait, DeadlinePassed (504).
        """
        with self._guard:
            if len(self._waiting) >= self._most_waiting:
                self._waiting = deque(waiting for waiting in self._waiting if not waiting.left)
            if len(self._waiting) >= self._most_waiting:
                raise Overloaded("This model has too many requests waiting.", retry_after_s=2)
            self._waiting.append(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="generation", daemon=True)
                self._thread.start()
            self._guard.notify()
        return self._follow(text)

    def close(self) -> None:
        """Ends the thread when there is no more work; nothing is taken in from now on that it would have to do."""
        with self._guard:
            self._closed, thread = True, self._thread
            self._guard.notify()
        if thread is not None:
            thread.join(JOIN_S)

    def _follow(self, text: Text) -> Iterator[int]:
        try:
            while True:
                token = text.given.get(timeout=max(text.deadline - time.monotonic(), 0))
                if isinstance(token, Exception):
                    raise token
                if token is None:
                    return
                yield token
        except queue.Empty:
            if text.slot < 0:
                raise DeadlinePassed("This model did not get to the request in time.", retry_after_s=5) from None
            raise DeadlinePassed("The text took too long: ask for fewer tokens.") from None
        finally:
            text.left = True

    def _work(self) -> None:
        while True:
            with self._guard:
                while not self._waiting and not any(self._slots):
                    if self._closed or (not self._guard.wait(IDLE_S) and not self._waiting):
                        self._thread = None
                        return
                self._admit()
            try:
                self._read_prompts()
                self._step()
            except Exception as error:  # of the model: those who wait for it must hear it
                for text in filter(None, self._slots):
                    text.given.put(error)
                self._slots = [None] * self._decoder.slots

    def _admit(self) -> None:
        now = time.monotonic()
        for slot, held in enumerate(self._slots):
            if held is not None and (held.left or now > held.deadline):
                self._slots[slot] = held = None
            while held is None and self._waiting:
                text = self._waiting.popleft()
                if not text.left and now <= text.deadline:
                    text.slot, self._slots[slot], held = slot, text, text

    def _read_prompts(self) -> None:
        """A chunk of each new text's prompt; its first token when all of it is read."""
        for text in [text for text in self._slots if text is not None and text.read < len(text.prompt)]:
            chunk = text.prompt[text.read : text.read + CHUNK]
            given = np.asarray([chunk], np.int32), np.asarray([text.slot], np.int32), np.asarray([text.read], np.int32)
            logits = self._decoder.run(*given)[0]
            text.read += len(chunk)
            if text.read == len(text.prompt):
                self._give(text, text.sampler.pick(logits))

    def _step(self) -> None:
        """One more token of every text whose prompt is read."""
        writing = [text for text in self._slots if text is not None and text.written]
        if not writing:
            return
        tokens = np.asarray([[text.last] for text in writing], np.int32)
        slots = np.asarray([text.slot for text in writing], np.int32)
        starts = np.asarray([len(text.prompt) + text.written - 1 for text in writing], np.int32)
        for text, logits in zip(writing, self._decoder.run(tokens, slots, starts), strict=True):
            self._give(text, text.sampler.pick(logits))

    def _give(self, text: Text, token: int) -> None:
        if token in text.ends:
            text.given.put(None)
            self._slots[text.slot] = None
            return
        text.last = token
        text.written += 1
        text.given.put(token)
        if text.written >= text.most or len(text.prompt) + text.written >= self._decoder.context:
            text.given.put(None)
            self._slots[text.slot] = None

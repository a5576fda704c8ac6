"""The event stream of a prediction that a worker makes: numbered, only ever growing, so that readers can go on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from inference.call import Outcome
from inference.later.models import Happening, Prediction
from portal.kit.errors import Problem

MOST = 1_000  # events of one attempt; what comes after them is told at once at the end
FLUSH_S = 0.2  # text that came within this is one event


def add(prediction: Prediction, kind: str, data: Mapping[str, Any]) -> None:
    """Appends an event. A worker that was taken for dead may append at the same time."""
    for _ in range(3):
        last = Happening.objects.filter(prediction=prediction).aggregate(last=Max("number"))["last"] or 0
        try:
            with transaction.atomic():
                Happening.objects.create(prediction=prediction, number=last + 1, kind=kind, data=data)
            return
        except IntegrityError:
            continue


class Telling:
    """What one attempt at a prediction has come to, and the events that tell of its text meanwhile."""

    def __init__(self, prediction: Prediction) -> None:
        self._prediction = prediction
        self._unsaid, self._said, self._said_at = "", 0, 0.0
        self._text, self._finish = "", ""
        self.streamed = False
        self.output: Any = None
        self.outcome: Outcome | None = None
        self.error: Problem | None = None

    @property
    def whole(self) -> bool:
        """Whether the answer came to its end."""
        return self.outcome is not None and (not self.streamed or bool(self._finish))

    def say(self, text: str, finish: str | None) -> None:
        """A part of the text, and how it ended, if it did."""
        if not self.streamed:
            self._begin()
        self._unsaid += text
        self._text += text
        self._finish = finish or self._finish
        self.output = {"text": self._text, "finish_reason": self._finish or "stop"}
        if time.monotonic() - self._said_at >= FLUSH_S and self._said < MOST:
            self.flush()

    def flush(self) -> None:
        """Tells what was not told yet."""
        self._said_at = time.monotonic()
        if self._unsaid:
            self._said += 1
            add(self._prediction, "output", {"text": self._unsaid})
            self._unsaid = ""

    def _begin(self) -> None:
        self.streamed = True
        if self._prediction.attempts > 1 and Happening.objects.filter(prediction=self._prediction).exists():
            add(self._prediction, "restarted", {"attempt": self._prediction.attempts})

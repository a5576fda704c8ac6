"""While a worker is at work: its lease is renewed, and what ends the work early is heard."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from django.db import DatabaseError, connections
from django.utils import timezone

from inference.later.models import Prediction, State

LEASE = timedelta(seconds=20)  # what a worker was at that was silent for so long is taken over
RENEW_S = 5.0
LOOK_S = 0.25


class Beside:
    """A thread that does something every so often while the body of `with` runs; a store that is away is tried again."""

    def __init__(self, do: Callable[[], None], every_s: float) -> None:
        self._do, self._every_s = do, every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="beside", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            while not self._over.wait(self._every_s):
                try:
                    self._do()
                except DatabaseError:
                    connections.close_all()
        finally:
            connections.close_all()  # of this thread


class Watch(Beside):
    """Over one prediction. `why` says what came first: canceled, late or lost (another worker took over)."""

    def __init__(self, prediction: Prediction) -> None:
        super().__init__(self._look, LOOK_S)
        self._prediction = prediction
        self._renew_at = timezone.now() + timedelta(seconds=RENEW_S)
        self.why = ""

    def stopped(self) -> bool:
        """Whether there is no use in going on."""
        return bool(self.why)

    def _look(self) -> None:
        self.why = self.why or self._found(timezone.now())

    def _found(self, now: datetime) -> str:
        mine = Prediction.objects.filter(
            pk=self._prediction.pk, attempts=self._prediction.attempts, state=State.PROCESSING
        )
        if now >= self._renew_at:
            if not mine.update(leased_until=now + LEASE):
                return "lost"
            self._renew_at = now + timedelta(seconds=RENEW_S)
        if self._prediction.deadline is not None and now >= self._prediction.deadline:
            return "late"
        return "canceled" if mine.filter(cancel_asked=True).exists() else ""

"""While a worker makes a prediction: its lease is renewed, and what ends it early is heard."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from types import TracebackType

from django.db import DatabaseError, connections
from django.utils import timezone

from inference.later.models import Prediction, State

LEASE = timedelta(seconds=20)  # a prediction whose worker was silent this long is taken over
RENEW = timedelta(seconds=5)
LOOK_S = 0.25


class Watch:
    """A thread beside the one that works. `why` says what came first: canceled, late or lost (another took over)."""

    def __init__(self, prediction: Prediction) -> None:
        self._prediction = prediction
        self._renew_at = timezone.now() + RENEW
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name=f"watch {prediction.pk}", daemon=True)
        self.why = ""

    def stopped(self) -> bool:
        """Whether there is no use in going on."""
        return bool(self.why)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        try:
            while not self.why and not self._over.wait(LOOK_S):
                try:
                    self.why = self._found(timezone.now())
                except DatabaseError:
                    pass  # the store is away: asked again
        finally:
            connections.close_all()  # of this thread

    def _found(self, now: datetime) -> str:
        mine = Prediction.objects.filter(
            pk=self._prediction.pk, attempts=self._prediction.attempts, state=State.PROCESSING
        )
        if now >= self._renew_at:
            self._renew_at = now + RENEW
            if not mine.update(leased_until=now + LEASE):
                return "lost"
        if self._prediction.deadline is not None and now >= self._prediction.deadline:
            return "late"
        return "canceled" if mine.filter(cancel_asked=True).exists() else ""

"""Which models mean what somebody looks for, though they say it otherwise.

The meanings of the catalog are one matrix in the memory of each process; a search is one product with it. The search's own
vector is made meanwhile it waits, SEMANTIC_WAIT_S at most: where the encoder is slow, not loaded or away, words are searched alone,
and the next search of the same words has the vector.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from numpy.typing import NDArray

from marketplace.catalog import shelf
from marketplace.catalog.matching import Mask, Matched
from marketplace.catalog.meaning import Floats, encoded, encoder
from marketplace.catalog.models import Meaning
from marketplace.catalog.resolve import Resolved
from marketplace.catalog.shelf import OVERLAP, Shelf
from portal.kit.errors import Problem

Key = tuple[str, str]  # of a search: the encoder's version, the words
log = logging.getLogger(__name__)
READ_EVERY = timedelta(seconds=5)
SHORTEST = 3  # letters of what is searched by meaning
MOST_KEPT = 2_000  # searches whose vectors are remembered
MOST_WAITING = 16  # searches whose vectors are being made; more are searched by words alone
PATIENCE_S = 20.0  # for a vector that nobody waits for any more
QUIET_S = 10.0  # after a failure nothing is asked for so long
MOST_MEANT = 48  # models that a search finds by their meaning alone
MEANT, BELOW = 20.0, 25.0  # what a cosine counts; a model that does not say it stands below all that do
TOO = 1.0  # what it counts for a model that says it too


@dataclass(frozen=True, slots=True)
class Sought:
    """What somebody looks for, as the encoder understands it."""

    encoder: str  # the version
    vector: Floats


def sought(words: str) -> Sought | None:
    """The vector of a search; None without an encoder, or where it is not made in time. Hold no lock."""
    words = " ".join(words.casefold().split())
    by = encoder() if len(words) >= SHORTEST and "/" not in words else None  # publisher/name means itself
    if by is None:
        return None
    key = (by.version_id, words)
    known = _known.get(key)
    if known is None:
        if time.monotonic() < _quiet.until:
            return None
        making = _asked(by, key)
        try:
            known = making.result(settings.SEMANTIC_WAIT_S) if making is not None else None
        except TimeoutError:
            return None
    return None if known is None else Sought(by.version_id, known)


def joined(matched: Matched, near: Floats | None, seen: Mask, by_relevance: bool) -> Matched:
    """What words found, and what means the same. `near`: of each row; None where nothing is known of that.

    Models that say it come first. In another order than by relevance only they are shown; where no model says all of it,
    words and meaning count together.
    """
    if near is None:
        return matched
    scores = matched.scores + TOO * np.maximum(near, 0)
    said = bool(matched.rows.any())
    if said and not matched.relaxed and not by_relevance:
        return dataclasses.replace(matched, scores=scores)
    meant = seen & (near >= settings.SEMANTIC_LEAST)
    others = np.flatnonzero(meant & ~matched.rows)
    others = others[np.argsort(-near[others], kind="stable")[:MOST_MEANT]]
    if matched.relaxed:
        scores = matched.scores + MEANT * np.maximum(near, 0)
    else:
        scores[others] = MEANT * near[others] - BELOW
    rows = matched.rows.copy()
    rows[others] = True
    return dataclasses.replace(matched, rows=rows, scores=scores, meant_only=not said and bool(len(others)))


class Meanings:
    """The vectors of one encoder, a row each. Not for several threads at once: hold shelf.lock."""

    def __init__(self, encoder: str) -> None:
        self.encoder = encoder
        self._ids: list[str] = []
        self._rows: dict[str, int] = {}
        self._changes: list[datetime] = []
        self._matrix: Floats = np.zeros((0, 0), np.float32)
        self._read_at: datetime | None = None
        self._places: tuple[Shelf, int, int, NDArray[np.int64]] | None = None

    def near(self, held: Shelf, vector: Floats) -> Floats:
        """The cosine of the vector with each row of the shelf; −1 where nothing is known."""
        found: Floats = np.full(len(held.ids), -1, np.float32)
        if not self._ids or len(vector) != self._matrix.shape[1]:
            return found
        places = self._on(held)
        here = places >= 0
        found[places[here]] = (self._matrix[: len(self._ids)] @ vector)[here]
        return found

    def read(self) -> None:
        """Takes in what was made since the last time, at most every READ_EVERY."""
        now, before = timezone.now(), self._read_at
        if before is not None and now - before < READ_EVERY:
            return
        rows = Meaning.objects.filter(encoder=self.encoder)
        if before is None:
            self._grow(rows.count())
        else:
            rows = rows.filter(changed_at__gt=before - OVERLAP)
        for pk, changed_at, vector in rows.values_list("pk", "changed_at", "vector").iterator(chunk_size=2_000):
            self._put(pk, changed_at, np.frombuffer(vector, "<f2"))
        self._read_at = now

    def _put(self, pk: str, changed_at: datetime, vector: NDArray[np.float16]) -> None:
        at = self._rows.get(pk)
        if at is None:
            at = self._rows[pk] = len(self._ids)
            self._ids.append(pk)
            self._changes.append(changed_at)
        elif self._changes[at] == changed_at:
            return
        if len(vector) and self._matrix.shape[1] != len(vector):
            self._matrix = np.zeros((len(self._matrix), len(vector)), np.float32)
        if at >= len(self._matrix):
            self._grow(2 * at + 64)
        self._matrix[at] = vector if len(vector) else 0  # the encoder refused the text
        self._changes[at] = changed_at

    def _grow(self, rows: int) -> None:
        grown = np.zeros((rows, self._matrix.shape[1]), np.float32)
        grown[: len(self._matrix)] = self._matrix
        self._matrix = grown

    def _on(self, held: Shelf) -> NDArray[np.int64]:
        """The shelf's row of each of ours, −1 for a model that is not there; kept until either grows."""
        kept = self._places
        if kept is None or kept[0] is not held or kept[1:3] != (len(held.ids), len(self._ids)):
            kept = self._places = (held, len(held.ids), len(self._ids), held.places(self._ids))
        return kept[3]


def near(held: Shelf, wanted: Sought | None) -> Floats | None:
    """The cosine of what is sought with each row of the shelf. Hold shelf.lock."""
    global _held
    if wanted is None:
        return None
    if _held.encoder != wanted.encoder:
        _held = Meanings(wanted.encoder)
    _held.read()
    return _held.near(held, wanted.vector)


def forget() -> None:
    """Drops all that is in memory."""
    global _held
    _held = Meanings("")
    _known.clear()
    _quiet.until = 0.0


def start() -> None:
    """Reads the meanings in a thread of its own, so that the first search finds them."""
    threading.Thread(target=_fill, name="meanings", daemon=True).start()


def _fill() -> None:
    global _held
    try:
        by = encoder()
        if by is not None:
            with shelf.lock:
                _held = Meanings(by.version_id)
                _held.read()
    except DatabaseError:
        pass  # the store is away: the first search reads them
    finally:
        close_old_connections()


def _asked(by: Resolved, key: Key) -> Future[Floats | None] | None:
    """The vector that is being made, once for all who ask; None where too many are."""
    with _guard:
        making = _making.get(key)
        if making is None and len(_making) < MOST_WAITING:
            making = _making[key] = _threads.submit(_make, by, key)
        return making


def _make(by: Resolved, key: Key) -> Floats | None:
    try:
        found: Floats = encoded(by, [key[1]], PATIENCE_S)[0]
    except Exception as error:
        if not isinstance(error, Problem) or error.status >= 500:
            _quiet.until = time.monotonic() + QUIET_S
            log.warning("searches go by words alone for %d s: %s failed: %s", QUIET_S, by.slug, error)
        return None
    else:
        if len(_known) >= MOST_KEPT:
            _known.clear()
        _known[key] = found
        return found
    finally:
        with _guard:
            _making.pop(key, None)
        close_old_connections()


@dataclass(slots=True)
class _Quiet:
    until: float = 0.0  # time.monotonic()


_held = Meanings("")
_quiet = _Quiet()
_known: dict[Key, Floats] = {}
_making: dict[Key, Future[Floats | None]] = {}
_guard = threading.Lock()  # of _making
_threads = ThreadPoolExecutor(2, thread_name_prefix="meaning")

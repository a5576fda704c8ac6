"""The catalog in memory, as columns: what is searched, counted and sorted. Each process has its own.

A search over a hundred thousand models that also counts each facet exactly is milliseconds of NumPy, and hundreds of them
in either database. What changed is read from the table of listings before each search; texts that changed are filed
again under a new row, and the old one is left empty. For the figures see docs/performance.md.
"""

from __future__ import annotations

import math
import threading
import time
from array import array
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone, translation
from django.utils.translation import gettext
from numpy.typing import NDArray

from marketplace.catalog import retiring, takedowns
from marketplace.catalog.models import Listing, Visibility
from marketplace.catalog.spelling import indexed, parts
from marketplace.catalog.vocabulary import ABOUT, NAME, SUMMARY, Vocabulary
from marketplace.tasks import registry

OVERLAP = timedelta(seconds=30)  # a transaction that began so long ago may show its changes only now
CHECKED_EVERY_S = 1.0  # for what came late, and for rows that were deleted, by their number
MOST_LATE = 5_000  # at one check
UNSURE, MIDDLE = 5, 3  # a rating is as if so many more reviews had given so many stars: one review is no verdict
REACH = {value: code for code, value in enumerate(Visibility.values)}  # visibility → the column `reach`
_COLUMNS = {
    "alive": "b", "reach": "b", "live": "b", "percent": "b", "owner": "q", "task": "q", "licence": "q",
    "languages": "Q", "created": "d", "price": "q", "p50": "d", "requests": "q", "quality": "d", "context": "q", "rating": "d",
    "title_1": "Q", "title_2": "Q", "name_hash": "q", "slug_hash": "q", "title_hash": "q",
}  # fmt: skip
_READ = (
    "pk", "changed_at", "model__publisher_id", "model__publisher__slug", "model__name", "model__title", "model__summary",
    "model__task", "model__licence", "model__languages", "model__visibility", "model__live_version_id",
    "model__created_at", "price_nanos", "p50_ms", "requests", "quality", "percent", "context_length", "reviews", "stars",
)  # fmt: skip


class Codes:
    """Values by number, in the order in which they came."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._codes: dict[str, int] = {}

    def of(self, value: str) -> int:
        """The value's number; a new value gets the next."""
        if value not in self._codes:
            self._codes[value] = len(self.values)
            self.values.append(value)
        return self._codes[value]

    def get(self, value: str) -> int:
        """The number, or -1, which no row has."""
        return self._codes.get(value, -1)


class Shelf:
    """Rows of columns, and the vocabulary that finds them. Not for several threads at once: see `shelf`."""

    def __init__(self) -> None:
        self.vocabulary = Vocabulary()  # of the models' own texts
        self.of_tasks = Vocabulary()  # of the tasks' texts: its rows are the tasks' codes
        self.ids: list[str] = []
        self.tasks, self.owners, self.licences, self.languages = Codes(), Codes(), Codes(), Codes()
        self.slugs: dict[int, str] = {}  # an owner's code → the publisher's slug
        self.seen: datetime = Listing.NEVER
        self.checked = 0.0
        self.gone: NDArray[np.int64] = np.zeros(0, dtype=np.int64)  # rows of models that were retired or taken down
        self._rows: dict[str, int] = {}
        self._texts: list[int] = []
        self._changes: list[datetime] = []
        self._columns = {name: array(kind) for name, kind in _COLUMNS.items()}
        self._arrays: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def has(self, pk: str, changed_at: datetime) -> bool:
        """Whether the row is here as it was changed then."""
        at = self._rows.get(pk)
        return at is not None and self._changes[at] == changed_at

    def places(self, pks: Iterable[str]) -> NDArray[np.int64]:
        """The models' rows; -1 for one that is not here."""
        return np.array([self._rows.get(pk, -1) for pk in pks], dtype=np.int64)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """A column, one value a row, of dead rows too."""
        if column not in self._arrays:
            self._arrays[column] = np.array(self._columns[column])
        return self._arrays[column]

    def kept(self, name: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """What was made of the columns, until a row changes. `name` is no column's."""
        if name not in self._arrays:
            self._arrays[name] = make()
        return self._arrays[name]

    def put(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Files rows as they are read by `_READ`."""
        for row in rows:
            pk, changed_at, owner_id, publisher, name, title, summary, task, licence, languages = row[:10]
            if self.has(pk, changed_at):
                continue
            at, texts = self._rows.get(pk), hash((publisher, name, title, summary, task))
            self._arrays.clear()
            if at is not None and self._texts[at] != texts:
                self._columns["alive"][at] = 0
                at = None
            if at is None:
                at = self._append(pk, texts)
                own = indexed(name) + indexed(title)
                self.vocabulary.add(at, ((SUMMARY, indexed(summary)), (ABOUT, indexed(publisher)), (NAME, own)))
            self._changes[at] = changed_at
            self.seen = max(self.seen, changed_at)
            owner = self.owners.of(owner_id)
            self.slugs[owner] = publisher
            if self.tasks.get(task) < 0:
                self.of_tasks.add(self.tasks.of(task), ((ABOUT, _words_of(task)),))
            first, second = _sort_keys(title)
            self._set(
                at, row, owner=owner, task=self.tasks.get(task), licence=self.licences.of(licence.strip()),
                languages=sum(1 << code for code in {self.languages.of(one) for one in languages.split()} if code < 64),
                title_1=first, title_2=second, name_hash=key(name), title_hash=key(title),
                slug_hash=key(f"{publisher}/{name}"),
            )  # fmt: skip

    def _append(self, pk: str, texts: int) -> int:
        at = self._rows[pk] = len(self.ids)
        self.ids.append(pk)
        self._texts.append(texts)
        self._changes.append(Listing.NEVER)
        for column in self._columns.values():
            column.append(0)
        return at

    def _set(self, at: int, row: tuple[Any, ...], **coded: int) -> None:
        visibility, version, created_at, price, p50, requests, quality, percent, context, reviews, stars = row[10:]
        figures = {
            "alive": 1, "reach": REACH[visibility], "live": version is not None, "price": price,
            "created": created_at.timestamp(), "p50": math.nan if p50 is None else p50, "requests": requests,
            "quality": math.nan if quality is None else quality, "percent": percent, "context": context,
            "rating": (stars + UNSURE * MIDDLE) / (reviews + UNSURE) if reviews else 0,
        }  # fmt: skip
        for name, value in (coded | figures).items():
            self._columns[name][at] = value


def key(text: str) -> int:
    """Equal for texts of the same words, in this process."""
    return hash(tuple(parts(text)))


def _words_of(task: str) -> list[str]:
    """Of a task's name, title, summary and modality, in every language of the portal, and what else people call it."""
    declared = registry.get(task)
    texts = [declared.name, *declared.also]
    for code, _language in settings.LANGUAGES:
        with translation.override(code):
            texts += [gettext(declared.title), gettext(declared.summary), gettext(declared.modality)]
    return [word for text in texts for word in indexed(text)]


def _sort_keys(title: str) -> tuple[int, int]:
    """Two numbers in the order of titles, by their first sixteen bytes."""
    start = title.casefold().encode()[:16].ljust(16, b"\0")
    return int.from_bytes(start[:8], "big"), int.from_bytes(start[8:], "big")


lock = threading.RLock()
_held = Shelf()


def fresh() -> Shelf:
    """The shelf with all that is committed. Hold `lock` while you use it."""
    global _held
    held, now = _held, time.monotonic()
    rows = Listing.objects.filter(changed_at__gt=held.seen) if len(held) else Listing.objects.all()
    held.put(rows.values_list(*_READ).iterator(chunk_size=5_000))
    if now - held.checked > CHECKED_EVERY_S:
        held.checked = now
        late = Listing.objects.filter(changed_at__gt=timezone.now() - OVERLAP).values_list("pk", "changed_at")
        missed = [pk for pk, changed_at in late if not held.has(pk, changed_at)]
        held.put(Listing.objects.filter(pk__in=missed[:MOST_LATE]).values_list(*_READ))
        if Listing.objects.count() != len(held):
            _held = held = Shelf()
            held.checked = now
            held.put(Listing.objects.values_list(*_READ).iterator(chunk_size=5_000))
        retired, down = retiring.gone(timezone.now()), takedowns.hiding()
        gone = held.places([*retired.values_list("model", flat=True), *down.values_list("model", flat=True)])
        held.gone = gone[gone >= 0]
    return held


def forget() -> None:
    """Drops all: the next search reads everything."""
    global _held
    _held = Shelf()


def start() -> None:
    """Fills the shelf in a thread of its own, so that the first search finds it full."""
    threading.Thread(target=_fill, name="catalog", daemon=True).start()


def _fill() -> None:
    try:
        with lock:
            fresh()
    except DatabaseError:
        pass  # the store is away: the first search fills it
    finally:
        close_old_connections()

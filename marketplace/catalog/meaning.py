"""What each model's text means, as a vector of the encoder that the operator chose (settings.SEMANTIC_MODEL).

Vectors are made by a job, kept in the database, and searched from memory: see nearness.py.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string
from numpy.typing import NDArray

from marketplace.catalog.models import Listing, Meaning, Model
from marketplace.catalog.resolve import Resolved, answering
from marketplace.tasks import registry
from portal.kit.errors import Problem

log = logging.getLogger(__name__)
MOST_DIMENSIONS = 384  # of a longer vector the first: what a hundred thousand models take is 150 MB in each process
AT_ONCE = 64  # texts
MOST_A_ROUND = 20_000
TIMEOUT_S = 120.0  # of a batch
OF_A_CARD = 600  # letters of a model's card that are read
Floats = NDArray[np.float32]
_one_at_a_time = threading.Lock()


class Encode(Protocol):
    """What settings.CATALOG_ENCODER names."""

    def __call__(self, resolved: Resolved, texts: Sequence[str], timeout_s: float) -> Floats:
        """A row for each text. Raises a Problem: 4xx where a text is refused, 5xx where the encoder cannot answer now."""
        ...


def encoder() -> Resolved | None:
    """The version that encodes; None where the operator chose none, or what was chosen does not answer or makes no vectors."""
    if not settings.SEMANTIC_MODEL:
        return None
    found = answering(settings.SEMANTIC_MODEL)
    return found if found is not None and found.task.name == "embeddings" else None


def encoded(by: Resolved, texts: Sequence[str], timeout_s: float) -> Floats:
    """A row of unit length for each text, MOST_DIMENSIONS wide at most. Raises what `Encode` raises, and ValueError for no vectors."""
    encode: Encode = import_string(settings.CATALOG_ENCODER)
    found = np.asarray(encode(by, texts, timeout_s), dtype=np.float32)
    if found.ndim != 2 or len(found) != len(texts) or not np.isfinite(found).all():
        raise ValueError(f"{by.slug} gave no vector for each text.")
    found = found[:, :MOST_DIMENSIONS]
    unit: Floats = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return unit


def keep() -> int:
    """Encodes what is new or changed; how many. Ends early where the encoder cannot answer: the next round goes on.

    One thread of a process does it at a time; two processes do the same work twice, without harm.
    """
    by = encoder()
    if by is None:
        if settings.SEMANTIC_MODEL:
            log.warning("SEMANTIC_MODEL=%s is no model of embeddings that answers", settings.SEMANTIC_MODEL)
        return 0
    if not _one_at_a_time.acquire(blocking=False):
        return 0
    try:
        count = 0
        for _ in range(MOST_A_ROUND // AT_ONCE):
            batch = list(_due(by)[:AT_ONCE])
            if not batch:
                break
            count += _keep(by, batch)
        return count
    except (Problem, ValueError) as problem:
        log.warning("the catalog's encoder %s failed: %s", by.slug, problem)
        return count
    finally:
        _one_at_a_time.release()


def _due(by: Resolved) -> QuerySet[Listing]:
    """Listings that changed since they were looked at, or that another encoder did."""
    stale = ~Q(model__meaning__encoder=by.version_id) | Q(model__meaning__looked_at__lt=F("changed_at"))
    rows = Listing.objects.filter(Q(model__meaning=None) | stale)
    return rows.select_related("model__meaning").order_by("pk")


def _keep(by: Resolved, batch: Sequence[Listing]) -> int:
    """Writes the meanings of the batch; how many texts were encoded. Others were only looked at."""
    new: list[tuple[Listing, str, str]] = []
    looked: list[Meaning] = []
    for listing in batch:
        text = text_of(listing.model)
        digest = hashlib.sha256(f"{by.version_id}\n{text}".encode()).hexdigest()
        known = getattr(listing.model, "meaning", None)
        if known is not None and known.digest == digest:
            known.looked_at = listing.changed_at
            looked.append(known)
        else:
            new.append((listing, text, digest))
    Meaning.objects.bulk_update(looked, ["looked_at"])
    vectors = _each(by, [text for _listing, text, _digest in new])
    now = timezone.now()  # of the writing: readers look back a little only
    rows = [
        Meaning(
            model_id=listing.pk, encoder=by.version_id, digest=digest, looked_at=listing.changed_at, changed_at=now,
            vector=vector.astype("<f2").tobytes() if vector is not None else b"",
        ) for (listing, _text, digest), vector in zip(new, vectors, strict=True)
    ]  # fmt: skip
    written = ["encoder", "digest", "vector", "looked_at", "changed_at"]
    Meaning.objects.bulk_create(rows, update_conflicts=True, unique_fields=["model"], update_fields=written)
    return len(rows)


def _each(by: Resolved, texts: Sequence[str]) -> list[Floats | None]:
    """The texts' vectors; None for one that the encoder refuses. Raises a Problem (5xx) where it cannot answer now."""
    if not texts:
        return []
    try:
        return list(encoded(by, texts, TIMEOUT_S))
    except Problem as problem:
        if problem.status >= 500:
            raise
        if len(texts) == 1:
            return [None]
    return [one for text in texts for one in _each(by, [text])]


def text_of(model: Model) -> str:
    """What is encoded of a model: what it is called, what it does, and how its card begins."""
    task = registry.get(model.task)
    begins = " ".join(model.card[: 2 * OF_A_CARD].replace("#", " ").replace("*", " ").split())[:OF_A_CARD]
    return "\n".join(part for part in (model.title, model.summary, f"{task.title}. {task.summary}", begins) if part)

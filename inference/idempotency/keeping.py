"""Idempotency-Key: the same key and body again get the same answer; nothing is run or charged twice.

As Stripe does it (https://docs.stripe.com/api/idempotent_requests), but for this: an answer that waiting or paying would
change (401, 402, 403, 409, 429, 5xx) is not kept.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.metering import operations
from inference.idempotency.models import KeptAnswer
from portal.kit import processes
from portal.kit.errors import Problem

KEPT_FOR = timedelta(hours=24)
MOST_BYTES = 10 * 1024**2  # a longer answer is given, but not kept
NOT_KEPT = {401, 402, 403, 409, 429}


class KeyInvalid(Problem):
    """The Idempotency-Key is empty or too long."""

    status = 400
    code = "idempotency_key_invalid"


class KeyReused(Problem):
    """The key was used with another body."""

    status = 422
    code = "idempotency_key_reused"


class KeyInUse(Problem):
    """The first request with this key is still at work."""

    status = 409
    code = "idempotency_key_in_use"


@dataclass(frozen=True, slots=True)
class Attempt:
    """This request is to be run. `paid`: an attempt before it was charged, and died before it answered."""

    id: str
    paid: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer that the first request got."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def begin(workspace_id: str, address: str, key: str, body: bytes) -> Attempt | Kept:
    """Whether to run the request, or the answer to give. Raises KeyInvalid, KeyReused (422), KeyInUse (409)."""
    if not 0 < len(key) <= 255:
        raise KeyInvalid("An Idempotency-Key has 1 to 255 characters.", param="Idempotency-Key")
    row_id = hashlib.sha256("\n".join((workspace_id, address, key)).encode()).hexdigest()
    body_hash = hashlib.sha256(body).hexdigest()
    now = timezone.now()
    mine = {"process": _process(), "until": now + timedelta(seconds=settings.UPSTREAM_TIMEOUT_S + 30)}
    try:
        with transaction.atomic():
            KeptAnswer.objects.create(id=row_id, workspace_id=workspace_id, body_hash=body_hash, created_at=now, **mine)
        return Attempt(row_id, paid=False)
    except IntegrityError:
        pass
    kept = KeptAnswer.objects.filter(pk=row_id).first()
    if kept is None or kept.created_at < now - KEPT_FOR:  # given up, or too old, this very moment
        KeptAnswer.objects.filter(pk=row_id, created_at__lt=now - KEPT_FOR).delete()
        return begin(workspace_id, address, key, body)
    if kept.body_hash != body_hash:
        raise KeyReused("This Idempotency-Key was used with another body: use a new one.", param="Idempotency-Key")
    if kept.status is not None:
        return Kept(kept.status, kept.headers, bytes(kept.body))
    if kept.until > now and _may_live(kept.process):
        raise KeyInUse("The first request with this Idempotency-Key is still at work.", retry_after_s=1)
    if not KeptAnswer.objects.filter(pk=row_id, status=None, until=kept.until).update(**mine):
        raise KeyInUse("The first request with this Idempotency-Key is still at work.", retry_after_s=1)
    return Attempt(row_id, paid=operations.take_over(row_id))


def keep(attempt: Attempt, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Keeps the answer, or gives the key free where it is of a kind that is not kept."""
    if status >= 500 or status in NOT_KEPT or len(body) > MOST_BYTES:
        give_up(attempt)
        return
    KeptAnswer.objects.filter(pk=attempt.id).update(status=status, headers=dict(headers), body=body)


def give_up(attempt: Attempt) -> None:
    """The next request with this key is run."""
    KeptAnswer.objects.filter(pk=attempt.id, status=None).delete()


def purge(now: datetime) -> int:
    """Drops answers that are older than KEPT_FOR; how many."""
    return KeptAnswer.objects.filter(created_at__lt=now - KEPT_FOR).delete()[0]


def _process() -> str:
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


def _may_live(process: str) -> bool:
    """False where the process was on this machine and is gone."""
    host, _, number = process.rpartition(":")
    return host != socket.gethostname()[:40] or processes.lives(int(number))

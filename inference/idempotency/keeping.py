"""Idempotency-Key: the same key and body again get the same answer; nothing is run or charged twice.

As Stripe does it (https://docs.stripe.com/api/idempotent_requests), but for this: an answer that waiting or paying would
change (401, 402, 403, 409, 429, 5xx) is not kept. What is kept may hold a secret, so it is sealed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, transaction
from django.utils import timezone

from billing.metering import operations
from inference.idempotency import working
from inference.idempotency.models import KeptAnswer
from portal.kit import seals
from portal.kit.errors import Problem

log = logging.getLogger(__name__)
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
    retry_after_s = 1.0


class AnswerUnreadable(Problem):
    """The answer was sealed with a SECRET_KEY that this process does not have. Running again could charge twice."""

    status = 409
    code = "idempotency_answer_unreadable"


@dataclass(frozen=True, slots=True)
class Attempt:
    """This request is to be run. `paid`: an attempt before it was charged, and died before it answered.

    `since`: when the first attempt began.
    """

    id: str
    paid: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer that the first request got. `id` is that of its attempt."""

    id: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def begin(workspace_id: str, scope: str, key: str, body_hash: str) -> Attempt | Kept:
    """Whether to run the request, or the answer to give. `scope`: where the key is good, such as the address.

    Raises KeyInvalid, KeyReused (422), KeyInUse (409), AnswerUnreadable (409). Who gets an Attempt must end it.
    """
    if not 0 < len(key) <= 255:
        raise KeyInvalid("An Idempotency-Key has 1 to 255 characters.", param="Idempotency-Key")
    row_id = hashlib.sha256("\n".join((workspace_id, scope, key)).encode()).hexdigest()
    now = timezone.now()
    mine = {"process": working.process(), "until": now + working.LEASE}
    try:
        with transaction.atomic():
            KeptAnswer.objects.create(id=row_id, workspace_id=workspace_id, body_hash=body_hash, created_at=now, **mine)
    except IntegrityError:
        return _again(workspace_id, scope, key, body_hash, row_id)
    working.begin(row_id)
    return Attempt(row_id, paid=False, since=now)


def _again(workspace_id: str, scope: str, key: str, body_hash: str, row_id: str) -> Attempt | Kept:
    now = timezone.now()
    kept = KeptAnswer.objects.filter(pk=row_id).first()
    if kept is None or kept.created_at < now - KEPT_FOR:  # given up, or too old, this very moment
        KeptAnswer.objects.filter(pk=row_id, created_at__lt=now - KEPT_FOR).delete()
        return begin(workspace_id, scope, key, body_hash)
    if kept.body_hash != body_hash:
        raise KeyReused("This Idempotency-Key was used with another body: use a new one.", param="Idempotency-Key")
    if kept.status is not None:
        return Kept(row_id, kept.status, kept.headers, _unsealed(bytes(kept.body)))
    mine = {"process": working.process(), "until": now + working.LEASE}
    still = kept.until > now and working.may_live(kept.process)
    if still or not KeptAnswer.objects.filter(pk=row_id, status=None, until=kept.until).update(**mine):
        raise KeyInUse("The first request with this Idempotency-Key is still at work: ask again shortly.")
    working.begin(row_id)
    return Attempt(row_id, operations.take_over(row_id, since=kept.created_at), kept.created_at)


def keep(attempt: Attempt, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Keeps the answer, or gives the key free where it is of a kind that is not kept. Ends the attempt.

    An answer that the store cannot keep is given nevertheless: a repetition runs again later, and is not charged again.
    """
    if status >= 500 or status in NOT_KEPT or len(body) > MOST_BYTES:
        give_up(attempt)
        return
    sealed = seals.seal_bytes(body, settings.SECRET_KEY)
    try:
        KeptAnswer.objects.filter(pk=attempt.id).update(status=status, headers=dict(headers), body=sealed)
    except (DatabaseError, InterfaceError) as error:
        log.error("an answer could not be kept: %s", type(error).__name__)
    finally:
        working.end(attempt.id)


def give_up(attempt: Attempt) -> None:
    """The next request with this key is run. Ends the attempt."""
    try:
        KeptAnswer.objects.filter(pk=attempt.id, status=None).delete()
    except (DatabaseError, InterfaceError) as error:
        log.error("an Idempotency-Key could not be given free yet: %s", type(error).__name__)
    finally:
        working.end(attempt.id)


def purge(now: datetime) -> int:
    """Drops answers that are older than KEPT_FOR; how many."""
    return KeptAnswer.objects.filter(created_at__lt=now - KEPT_FOR).delete()[0]


def _unsealed(body: bytes) -> bytes:
    try:
        return seals.unseal_bytes(body, settings.SECRET_KEY)
    except ValueError as error:
        raise AnswerUnreadable(
            "The answer to this Idempotency-Key can no longer be read: look whether the request took effect, then use a"
            " new key."
        ) from error

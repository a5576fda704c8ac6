"""The life of a submission, as a table; and its rehearsal, which one worker at a time holds.

uploading → queued → inspecting → rehearsing → passed or failed → published; or withdrawn, from wherever it is not published.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from marketplace.publishing.evidence import CHECKS, Found, failures
from marketplace.publishing.models import Evidence, Status, Submission
from marketplace.publishing.models import SubmissionState as State
from portal.accounts import mails
from portal.accounts.wire.text import NUL

MOST_ATTEMPTS = 3
MOST_SAID = 400  # characters of a value that a model's process had a say in
_HELD = (State.INSPECTING, State.REHEARSING)
# From → to. A rehearsal whose worker was lost begins anew.
TRANSITIONS = MappingProxyType(
    {
        State.UPLOADING: (State.QUEUED, State.WITHDRAWN),
        State.QUEUED: (State.INSPECTING, State.FAILED, State.WITHDRAWN),
        State.INSPECTING: (State.INSPECTING, State.REHEARSING, State.FAILED, State.WITHDRAWN),
        State.REHEARSING: (State.INSPECTING, State.PASSED, State.FAILED, State.WITHDRAWN),
        State.PASSED: (State.QUEUED, State.PASSED, State.FAILED, State.PUBLISHED, State.WITHDRAWN),
        State.FAILED: (State.PASSED, State.FAILED, State.WITHDRAWN),
        State.PUBLISHED: (),
        State.WITHDRAWN: (),
    }
)


class Lost(Exception):
    """The submission is ours no more: it was withdrawn, or another worker took it over."""


def move(submission: Submission, to: State, *, attempt: int | None = None, **change: Any) -> bool:
    """The submission is in the state `to` from now on; False where the table or another's attempt does not let it."""
    rows = Submission.objects.filter(pk=submission.pk, state__in=[one for one, tos in TRANSITIONS.items() if to in tos])
    if attempt is not None:
        rows = rows.filter(attempts=attempt)
    return bool(rows.update(state=to, **change))


def claim(now: datetime) -> Submission | None:
    """The oldest submission to rehearse, now ours until `leased_until`; None if there is none, or one is being rehearsed.

    One at a time on one database: what is measured would suffer from others.
    """
    with transaction.atomic():
        if Submission.objects.select_for_update().filter(state__in=_HELD, leased_until__gte=now).exists():
            return None
        todo = Q(state=State.QUEUED) | Q(state__in=_HELD, leased_until__lt=now)
        found = Submission.objects.select_for_update().filter(todo).order_by("created_at", "pk").first()
        if found is None:
            return None
        if found.attempts >= MOST_ATTEMPTS:
            write(found, Found("loads", Status.FAILED, "lost"))
            move(found, State.FAILED, attempt=found.attempts, ended_at=now, leased_until=None)
            return None
        # Conditional on what was read: two claims at once give one winner.
        won = move(
            found, State.INSPECTING, attempt=found.attempts, attempts=F("attempts") + 1, leased_until=_until(now)
        )
    if not won:
        return None
    found.refresh_from_db()
    return found


@contextmanager
def held(submission: Submission) -> Iterator[None]:
    """Keeps the lease by a thread of its own for as long as the rehearsal takes."""
    over = threading.Event()

    def beat() -> None:
        try:
            while not over.wait(settings.REHEARSAL_LEASE_S / 5):
                try:
                    _ours(submission).update(leased_until=_until(timezone.now()))
                except DatabaseError:
                    pass  # the store is away: the next beat may be in time
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name="rehearsal-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def record(submission: Submission, found: Found) -> None:
    """Keeps what a check of the rehearsal found. Raises Lost."""
    with transaction.atomic():
        if not _ours(submission).update(leased_until=_until(timezone.now())):
            raise Lost
        write(submission, found)


def write(submission: Submission, found: Found) -> None:
    """Keeps what a check found, in place of what it found before."""
    told = {
        "status": found.status,
        "reason": found.reason,
        "values": {name: _plain(value) for name, value in found.values.items()},
        "figure": found.figure[:60],
        "made_at": timezone.now(),
    }
    Evidence.objects.update_or_create(submission=submission, check_name=found.check, defaults=told)


def begin_anew(submission: Submission) -> None:
    """Forgets what a lost worker's rehearsal found."""
    submission.evidence.exclude(check_name__in=("licence", "card")).delete()


def rehearsing(submission: Submission) -> None:
    """It was inspected, and is being tried. Raises Lost."""
    if not move(submission, State.REHEARSING, attempt=submission.attempts):
        raise Lost


def end(submission: Submission, **learnt: Any) -> None:
    """Ends the rehearsal by what its evidence says; what was not reached is skipped. `learnt`: fields. Raises Lost."""
    now = timezone.now()
    with transaction.atomic():
        if not _ours(submission).update(leased_until=_until(now), **learnt):
            raise Lost
        made = set(submission.evidence.values_list("check_name", flat=True))
        for name in CHECKS.keys() - made:
            write(submission, Found(name, Status.SKIPPED, "not_reached"))
        verdict = _verdict(submission)
        move(submission, verdict, attempt=submission.attempts, ended_at=now, leased_until=None)
        _tell(submission, verdict)


def anew(submission: Submission) -> None:
    """It had passed, and is rehearsed again: its model has another version by now."""
    move(submission, State.QUEUED, attempts=0, place="", ended_at=None)


def judge_again(submission: Submission) -> None:
    """After evidence of a submission that had been rehearsed was written anew: whether it passes now."""
    move(submission, _verdict(submission))


def _verdict(submission: Submission) -> State:
    """By its evidence; what never came to its end has no folder, and did not pass."""
    bad = submission.evidence.filter(status=Status.FAILED).exists()
    whole = Submission.objects.filter(pk=submission.pk).exclude(place="").exists()
    return State.PASSED if whole and not bad else State.FAILED


def _tell(submission: Submission, verdict: State) -> None:
    """Mail to the publisher, whose page was left meanwhile."""
    context = {
        "submission": submission,
        "slug": f"{submission.workspace.slug}/{submission.name}",
        "passed": verdict == State.PASSED,
        "failed": partial(failures, submission),
    }
    key = f"submission:{submission.pk}:{submission.attempts}"
    mails.post(key, submission.workspace_id, "marketplace/submission_rehearsed.txt", context)


def _ours(submission: Submission) -> Any:
    return Submission.objects.filter(pk=submission.pk, state__in=_HELD, attempts=submission.attempts)


def _until(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.REHEARSAL_LEASE_S)


def _plain(value: Any) -> Any:
    return value.replace(NUL, "�")[:MOST_SAID] if isinstance(value, str) else value

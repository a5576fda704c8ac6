"""Telling Stripe each thing exactly once, over a line that loses replies: claims, answers, patience.

pending → sending → accepted | rejected | too old | unsure → sending → … A thing is claimed by conditional update; its identifier
is also the idempotency key. Whoever claimed it and fell silent is taken for dead: the thing counts as unsure, and is told
again under the same identifier. Stripe forgets identifiers after a day, so then its sums are read before.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

import stripe
from django.conf import settings
from django.db import IntegrityError, connections, transaction
from django.db.models import F, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing.metering.rollups import hour_of
from billing.stripe import products, reconciliation, summaries
from billing.stripe.client import Pace, client, linked
from billing.stripe.models import Report, ReportState, Telling
from billing.stripe.reports import OLDEST

log = logging.getLogger(__name__)
LOST_AFTER = timedelta(minutes=2)  # longer than the client's timeouts and retries together
UNIQUE_FOR = timedelta(hours=24)  # Stripe knows an identifier at least as long
LONGEST_PAUSE_S = 3600
SENDERS = 4  # customers that are told at the same time
MOST_CUSTOMERS, MOST_REPORTS = 500, 100  # of a round; of a customer in it
MOST_FAILURES = 3  # in a row: then Stripe is left in peace until the next round
T = TypeVar("T", bound=Telling)


class Untellable(Exception):
    """It cannot be told, however often it is tried."""


class Round(Pace):
    """What the senders of a round share: a pace, and an end when Stripe keeps failing."""

    _failures = 0

    @property
    def over(self) -> bool:
        """Whether to stop."""
        return self._failures >= MOST_FAILURES

    def count(self, failed: bool) -> None:
        """How a call went."""
        self._failures = self._failures + 1 if failed else 0  # not exact between threads, which is good enough


def send_due(now: datetime) -> int:
    """Sends the reports that wait, one call at a time for each customer; how many were accepted.

    One round a process: while Stripe does not answer, rounds would pile up and take the threads of other jobs.
    """
    if not _at_work.acquire(blocking=False):
        return 0
    try:
        return _round(now)
    finally:
        _at_work.release()


_at_work = threading.Lock()


def _round(now: datetime) -> int:
    due = Report.objects.filter(state__in=_CLAIMABLE, next_attempt_at__lte=now)
    waiting = due.values_list("workspace_id").annotate(first=Min("next_attempt_at")).order_by("first")
    customers = [workspace_id for workspace_id, _ in waiting[:MOST_CUSTOMERS]]
    turn = Round(settings.STRIPE_CALLS_A_SECOND)
    if len(customers) < 2:
        return sum(send_of(workspace_id, now, turn) for workspace_id in customers)

    def one(workspace_id: str) -> int:
        try:
            return send_of(workspace_id, now, turn)
        finally:
            connections.close_all()  # of this thread

    with ThreadPoolExecutor(SENDERS, thread_name_prefix="sender") as pool:
        return sum(pool.map(one, customers))


def send_of(workspace_id: str, now: datetime, turn: Round) -> int:
    """Sends a workspace's due reports, one after another; how many were accepted."""
    accepted = 0
    for _ in range(MOST_REPORTS):
        if turn.over:
            break
        report = claim(Report, Q(workspace_id=workspace_id), now)
        if report is None:
            break
        turn.wait()
        accepted += tell(report, now, turn, _arrived, _call)
    return accepted


_CLAIMABLE = (ReportState.PENDING, ReportState.UNSURE, ReportState.SENDING)


def claim(kind: type[T], which: Q, now: datetime) -> T | None:
    """The next of `kind` that is due, now ours to tell; None where there is none or another worker has it.

    Its `state` says UNSURE where an earlier attempt may have arrived, else PENDING.
    """
    rows = kind._default_manager.filter(which)
    found = (
        # One that is being told keeps the customer's line busy, until its sender counts as lost.
        rows.filter(state=ReportState.SENDING).first()
        or rows.filter(state__in=_CLAIMABLE, next_attempt_at__lte=now).order_by("next_attempt_at", "pk").first()
    )
    if found is None or found.next_attempt_at > now:
        return None
    # Conditional on what was read: two senders at once give one. The database lets one a customer be in this state.
    mine = rows.filter(pk=found.pk, state=found.state, attempts=found.attempts)
    try:
        with transaction.atomic():
            won = mine.update(
                state=ReportState.SENDING,
                attempts=F("attempts") + 1,
                next_attempt_at=now + LOST_AFTER,
                first_attempt_at=Coalesce(F("first_attempt_at"), now),
            )
    except IntegrityError:
        return None
    if not won:
        return None
    found.attempts += 1
    found.first_attempt_at = found.first_attempt_at or now
    found.state = ReportState.PENDING if found.state == ReportState.PENDING else ReportState.UNSURE
    return found


def tell(thing: T, now: datetime, turn: Round, arrived: Callable[[T], bool], call: Callable[[T], None]) -> bool:
    """Tells a claimed thing and writes down what became of it. True if Stripe has it."""
    unsure = thing.state == ReportState.UNSURE
    try:
        assert thing.first_attempt_at is not None
        too_old = isinstance(thing, Report) and thing.timestamp < now - OLDEST
        forgotten = too_old or thing.first_attempt_at < now - UNIQUE_FOR
        if unsure and forgotten and arrived(thing):
            return _end(thing, ReportState.ACCEPTED, now)
        if too_old:
            return _end(thing, ReportState.TOO_OLD, now)
        call(thing)
    except Untellable as error:
        return _end(thing, ReportState.REJECTED, now, str(error))
    except stripe.InvalidRequestError as error:
        turn.count(failed=False)
        said = str(error.user_message)
        # A duplicate has no code, and means that the first one arrived.
        if "already exists with identifier" in said:
            return _end(thing, ReportState.ACCEPTED, now)
        if error.code == "timestamp_in_future":  # one of the two clocks is wrong; time heals it
            return _again(thing, ReportState.UNSURE if unsure else ReportState.PENDING, now, said)
        if error.code == "timestamp_too_far_in_past":
            return _end(thing, ReportState.TOO_OLD, now, said)
        return _end(thing, ReportState.REJECTED, now, said)
    except stripe.StripeError as error:
        turn.count(failed=True)
        # Only these say that nothing was done.
        refused = isinstance(error, (stripe.RateLimitError, stripe.AuthenticationError, stripe.PermissionError))
        state = ReportState.PENDING if refused and not unsure else ReportState.UNSURE
        return _again(thing, state, now, type(error).__name__, _retry_after(error))
    turn.count(failed=False)
    return _end(thing, ReportState.ACCEPTED, now)


def tell_again(refused: QuerySet[T], now: datetime) -> int:
    """Has what Stripe refused told again, now that an operator mended the cause; how many. What arrived stays told once."""
    rejected = refused.filter(state=ReportState.REJECTED)
    return rejected.update(state=ReportState.UNSURE, next_attempt_at=now, error="")


def _call(report: Report) -> None:
    """Raises Untellable, stripe.StripeError."""
    products.meter()
    customer = linked("customer", report.workspace_id)
    if customer is None:
        raise Untellable("the workspace has no customer at Stripe")
    client().v1.billing.meter_events.create(
        {
            "event_name": settings.METER_EVENT_NAME,
            "identifier": report.identifier,
            "timestamp": int(report.timestamp.timestamp()),
            "payload": {"stripe_customer_id": customer, "value": str(report.value)},
        },
        {"idempotency_key": report.identifier},
    )


def _arrived(report: Report) -> bool:
    """Whether an old report that nobody is sure of is in Stripe's sum of its hour.

    What Stripe has there beyond the accepted ones is of the unsure ones, the largest first: which of them it is does not
    matter to the sum. Where this guesses wrong, the daily reconciliation makes up for it.
    """
    start = hour_of(report.timestamp)
    end = start + timedelta(hours=1)
    in_hour = Report.objects.filter(workspace_id=report.workspace_id, timestamp__gte=start, timestamp__lt=end)
    known = in_hour.filter(state=ReportState.ACCEPTED).aggregate(value=Sum("value", default=0))["value"]
    more = summaries.by_hour(report.workspace_id, start, end).get(start, 0) - known
    open_ones = in_hour.filter(state__in=(ReportState.UNSURE, ReportState.SENDING)).order_by("-value", "pk")
    for one in open_ones:
        if one.value <= more:
            more -= one.value
            if one.pk == report.pk:
                return True
    return False


def _end(thing: Telling, state: ReportState, now: datetime, error: str = "") -> bool:
    with transaction.atomic():
        written = _write(thing, state=state, error=error[:300], sent_at=now)
        if written and isinstance(thing, Report) and state == ReportState.ACCEPTED:
            reconciliation.expect(thing.workspace_id, thing.timestamp.date(), now)
    if written and state == ReportState.REJECTED:
        log.error("stripe was not told %s, an operator must look: %s", thing.pk, error)
    return written and state == ReportState.ACCEPTED


def _again(thing: Telling, state: ReportState, now: datetime, error: str, least_s: float = 0) -> bool:
    pause = min(2.0**thing.attempts, LONGEST_PAUSE_S) * random.uniform(0.5, 1)  # noqa: S311 – jitter
    _write(thing, state=state, error=error[:300], next_attempt_at=now + timedelta(seconds=max(pause, least_s)))
    return False


def _write(thing: Telling, **values: object) -> bool:
    """False if another took it over meanwhile."""
    mine = type(thing)._default_manager.filter(pk=thing.pk, state=ReportState.SENDING, attempts=thing.attempts)
    return mine.update(**values) == 1


def _retry_after(error: stripe.StripeError) -> float:
    """Seconds that Stripe asks to wait, at most an hour."""
    try:
        return min(float((error.headers or {}).get("Retry-After", 0)), LONGEST_PAUSE_S)
    except (AttributeError, ValueError):
        return 0

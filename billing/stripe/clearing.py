"""Stripe's balance against the ledger's account for it: each balance transaction belongs to something that the ledger knows.

A balance transaction is mirrored, and what it took for Stripe or moved to our bank is posted, once under its id. All
others must come to the same as what caused them (a top-up, an invoice, a refund, a dispute, a payout) says, and those are
proved against their postings by audit.py. So where no day differs, the account is Stripe's balance, to the cent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import stripe
from django.db import transaction
from django.db.models import Min, Sum

from billing.ledger import balances
from billing.ledger.audit import totals
from billing.ledger.kinds import AccountKind
from billing.ledger.postings import stripe_took
from billing.money import NANOS_IN_CENT, show
from billing.stripe import audit
from billing.stripe.balances import BalanceDay, BalanceTransaction, Purpose
from billing.stripe.causes import FOREIGN, ask, cause_of
from billing.stripe.client import client
from billing.stripe.models import Invoice, Outcome, TopUp

log = logging.getLogger(__name__)
AFTER = timedelta(hours=1)  # the end of a day, its events have been handled
CONFIRMED_AFTER = timedelta(minutes=20)
AGAIN = timedelta(days=1)  # a day that stays different
BANK = ("payout", "payout_cancel", "payout_failure", "topup", "topup_reversal")
DAY = timedelta(days=1)
AT_ONCE = 1_000  # causes
MOST_TOLD = 200  # differences of a day


@dataclass(frozen=True, slots=True)
class Standing:
    """Cents that are at Stripe: as the ledger says, as the mirrored transactions sum to, as Stripe says.

    `on_their_way`: bank debits that Stripe counts already, and that may still fail.
    """

    ours: int
    mirrored: int
    theirs: int
    on_their_way: int


def check_due(now: datetime) -> list[BalanceDay]:
    """Compares the days that are over and were not compared, or differed. Raises stripe.StripeError; the rest stays due."""
    due = set(BalanceDay.objects.filter(due_at__lte=now).values_list("day", flat=True))
    days = sorted(due | _missing(now))
    return _check(days, now) if days else []


def check_day(day: date, now: datetime) -> BalanceDay:
    """Compares a day. Raises stripe.StripeError."""
    return _check([day], now)[0]


def standing(now: datetime) -> Standing:
    """How it stands, with all that moved until now. Raises stripe.StripeError."""
    _check([], now)
    said: Any = client().v1.balance.retrieve()
    sums = BalanceTransaction.objects.values_list("on_its_way").annotate(n=Sum("cents") - Sum("fee_cents")).order_by()
    by_way = dict(sums)
    return Standing(
        ours=-totals()[AccountKind.CLEARING] // NANOS_IN_CENT,
        mirrored=by_way.get(False, 0),
        theirs=sum(part.amount for part in (*said.available, *said.pending) if part.currency == "usd"),
        on_their_way=by_way.get(True, 0),
    )


def _over(now: datetime) -> date:
    """The last day whose events have been handled."""
    return (now - AFTER).date() - DAY


def _missing(now: datetime) -> set[date]:
    """The days that are over and were never compared, however many, since anybody first paid."""
    begun = [rows.objects.aggregate(at=Min("created_at"))["at"] for rows in (TopUp, Invoice)]
    first = min((at.astimezone(UTC).date() for at in begun if at), default=None)
    if first is None:
        return set()
    days = {first + n * DAY for n in range((_over(now) - first).days + 1)}
    return days - set(BalanceDay.objects.values_list("day", flat=True))


def _check(days: list[date], now: datetime) -> list[BalanceDay]:
    for day in sorted({*days, *_missing(now)}):
        _read(_midnight(day), _midnight(day) + DAY)
    _read(_midnight(_over(now) + DAY), now + DAY)  # what came since: a cause is compared as a whole
    return [_compare(day, now) for day in days]


def _read(start: datetime, end: datetime) -> None:
    """Mirrors what moved in a time. Raises stripe.StripeError."""
    created: Any = {"gte": int(start.timestamp()), "lt": int(end.timestamp())}
    if end <= start:
        return
    asked: Any = {"created": created, "currency": "usd", "limit": 100, "expand": ["data.source"]}
    for found in client().v1.balance_transactions.list(asked).auto_paging_iter():
        _mirror(found)


def _mirror(found: stripe.BalanceTransaction) -> None:
    thing: Any = found.source
    known = BalanceTransaction.objects.filter(pk=found.id).first()
    purpose, cause = _purpose(found), known.cause if known else ""
    if purpose == Purpose.PAYMENT and (not cause or cause.startswith(FOREIGN)):
        cause = cause_of(thing)
    with transaction.atomic():
        row, _new = BalanceTransaction.objects.update_or_create(
            stripe_id=found.id,
            defaults={
                "type": found.type,
                "purpose": purpose if cause or purpose != Purpose.PAYMENT else Purpose.UNKNOWN,
                "cause": cause,
                "cents": found.amount,
                "fee_cents": found.fee,
                "on_its_way": getattr(thing, "object", "") == "charge" and thing.status == "pending",
                "created_at": datetime.fromtimestamp(found.created, UTC),
            },
        )
        if not row.on_its_way:
            stripe_took(row.source, fee_nanos=row.fee_nanos, bank_nanos=row.bank_nanos, memo=found.type)


def _purpose(found: stripe.BalanceTransaction) -> Purpose:
    if found.type in BANK:
        return Purpose.BANK
    return Purpose.FEE if found.reporting_category == "fee" else Purpose.PAYMENT


def _compare(day: date, now: datetime) -> BalanceDay:
    begin, end = _midnight(day), _midnight(day) + DAY
    inside = BalanceTransaction.objects.filter(created_at__gte=begin, created_at__lt=end, on_its_way=False)
    causes = {*inside.values_list("cause", flat=True), *balances.causes(AccountKind.CLEARING, begin, end)}
    causes = {cause for cause in causes if cause.startswith((FOREIGN, *(f"{name}:" for name in audit.CAUSES)))}
    differing = _differing(causes)
    for cause in differing:  # its event was lost, perhaps
        ask(cause)
    differing = _differing(differing)
    found = [f"{cause}: {_show(theirs)} at Stripe, {_show(ours)} here" for cause, (theirs, ours) in differing.items()]
    unknown = list(inside.filter(purpose=Purpose.UNKNOWN).order_by("pk"))
    found += [f"{one.pk}: {_show(one.cents)} at Stripe ({one.type}), by nothing that is known here" for one in unknown]
    more = sum(theirs - ours for theirs, ours in differing.values()) + sum(one.cents for one in unknown)
    sums = inside.aggregate(cents=Sum("cents", default=0), fees=Sum("fee_cents", default=0))
    with transaction.atomic():
        BalanceDay.objects.get_or_create(day=day)
        row = BalanceDay.objects.select_for_update().get(day=day)
        row.theirs_cents, row.fees_cents, row.transactions = sums["cents"] - sums["fees"], sums["fees"], inside.count()
        row.ours_cents, row.found, row.checked_at = row.theirs_cents - more, found[:MOST_TOLD], now
        waits = BalanceTransaction.objects.filter(created_at__gte=begin, created_at__lt=end, on_its_way=True).exists()
        _judge(row, waits, now)
        row.save()
    return row


def _judge(row: BalanceDay, waits: bool, now: datetime) -> None:
    over = _midnight(row.day) + DAY + AFTER
    if not row.found:
        row.outcome, row.differs_since = Outcome.AGREES, None
        row.due_at = over if now < over else now + AGAIN if waits else None
    elif row.differs_since is None or now < row.differs_since + CONFIRMED_AFTER:
        row.outcome, row.differs_since = Outcome.DIFFERS, row.differs_since or now
        row.due_at = row.differs_since + CONFIRMED_AFTER
    else:
        row.outcome, row.due_at = Outcome.STUCK, now + AGAIN
        log.error("stripe's balance and the ledger differ on %s: %s", row.day, "; ".join(row.found[:20]))


def _differing(causes: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Cause → cents as Stripe moved them in all, and as our row says, where the two differ."""
    found: dict[str, tuple[int, int]] = {}
    left = sorted(causes)
    while left:
        some, left = left[:AT_ONCE], left[AT_ONCE:]
        moved = BalanceTransaction.objects.filter(cause__in=some, on_its_way=False).values_list("cause").order_by()
        theirs, ours = dict(moved.annotate(n=Sum("cents"))), audit.at_stripe(some)
        both = {cause: (theirs.get(cause, 0), ours.get(cause, 0) // NANOS_IN_CENT) for cause in some}
        found |= {cause: pair for cause, pair in both.items() if pair[0] != pair[1]}
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _show(cents: int) -> str:
    return show(cents * NANOS_IN_CENT)

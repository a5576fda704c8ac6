"""Each day's reports against what Stripe's meter has, and what is done where the two differ.

A difference that stands for a while is corrected by a report that was never sent: its value is what Stripe has more or
less. As values are the floor of a running sum, usage that Stripe lacks is told again by the next part, and of what it has
too much the next parts tell so much less. Nobody pays twice, nothing is given away, and every step is a row.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, time, timedelta

import stripe
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from billing.metering.rollups import hour_of
from billing.stripe import reports, summaries
from billing.stripe.client import Pace
from billing.stripe.models import Outcome, Reconciliation, Report, ReportState
from portal.accounts.models import Workspace

log = logging.getLogger(__name__)
AFTER = timedelta(hours=1)  # the end of a day, Stripe's sums are settled
CONFIRMED_AFTER = timedelta(minutes=20)  # a difference that stands so long is no lag
UNSENT_AGAIN = timedelta(minutes=10)  # a day with reports on their way is looked at again after this
MOST_CORRECTIONS = 3  # of a day: what does not help then needs a person
MOST_A_RUN = 200


def of(workspace_id: str, days: int) -> list[Reconciliation]:
    """The workspace's last days with reports, the newest first; of days not compared yet, `ours` is what was told so far."""
    since = timezone.now().date() - timedelta(days=days)
    rows = list(Reconciliation.objects.filter(workspace_id=workspace_id, day__gte=since).order_by("-day"))
    for row in rows:
        if row.checked_at is None:
            begin = _midnight(row.day)
            told = Report.objects.filter(workspace_id=workspace_id, state=ReportState.ACCEPTED)
            inside = told.filter(timestamp__gte=begin, timestamp__lt=begin + timedelta(days=1))
            row.ours = inside.aggregate(n=Sum("value", default=0))["n"]
    return rows


def expect(workspace_id: str, day: date, now: datetime) -> None:
    """Something was accepted for this day: it will be compared, an hour after it ends."""
    due = max(_midnight(day) + timedelta(days=1), now) + AFTER
    row, new = Reconciliation.objects.get_or_create(workspace_id=workspace_id, day=day, defaults={"due_at": due})
    if not new:
        # In the database: a comparison that runs right now may be about to say that nothing is due.
        Reconciliation.objects.filter(pk=row.pk).update(due_at=Coalesce(F("due_at"), due))


def suspect(which: Q, now: datetime) -> int:
    """Days of reports (accepted, and `which`) that Stripe may have dropped: they are compared at once; how many days."""
    told = Report.objects.filter(which, state=ReportState.ACCEPTED, value__gt=0)
    days = {(workspace_id, at.date()) for workspace_id, at in told.values_list("workspace_id", "timestamp").iterator()}
    for workspace_id, day in days:
        Reconciliation.objects.update_or_create(workspace_id=workspace_id, day=day, defaults={"due_at": now})
    return len(days)


def check_due(now: datetime) -> list[Reconciliation]:
    """Compares the days that are due. Raises stripe.StripeError; the rest stays due."""
    due = Reconciliation.objects.filter(due_at__lte=now).order_by("due_at").values_list("workspace_id", "day")
    return _paced(list(due[:MOST_A_RUN]), now)


def check_day(day: date, now: datetime) -> list[Reconciliation]:
    """Compares a day of every workspace that reported something for it. Raises stripe.StripeError."""
    begin = _midnight(day)
    told = Report.objects.filter(timestamp__gte=begin, timestamp__lt=begin + timedelta(days=1), value__gt=0)
    return _paced([(found, day) for found in sorted(set(told.values_list("workspace_id", flat=True)))], now)


def _paced(days: list[tuple[str, date]], now: datetime) -> list[Reconciliation]:
    pace = Pace(settings.STRIPE_CALLS_A_SECOND)
    found = []
    for workspace_id, day in days:
        pace.wait()
        try:
            found.append(check(workspace_id, day, now))
        except stripe.InvalidRequestError as error:  # as of a customer that was deleted: the others go on
            log.error("stripe does not tell its sums of %s on %s: %s", workspace_id, day, error)
            row = Reconciliation.objects.filter(workspace_id=workspace_id, day=day)
            row.update(outcome=Outcome.STUCK, checked_at=now, due_at=None)
    return found


def check(workspace_id: str, day: date, now: datetime) -> Reconciliation:
    """Compares a workspace's day, and corrects a difference that was there before. Raises stripe.StripeError."""
    begin = _midnight(day)
    end = begin + timedelta(days=1)
    theirs = summaries.by_hour(workspace_id, begin, end)
    with transaction.atomic():
        # No parts are made meanwhile, and a second look at the same time finds what this one did.
        Workspace.objects.select_for_update().get(pk=workspace_id)
        Reconciliation.objects.get_or_create(workspace_id=workspace_id, day=day)
        row = Reconciliation.objects.select_for_update().get(workspace_id=workspace_id, day=day)
        of_day = Report.objects.filter(workspace_id=workspace_id, timestamp__gte=begin, timestamp__lt=end)
        ours: dict[datetime, int] = {}
        for at, value in of_day.filter(state=ReportState.ACCEPTED).values_list("timestamp", "value"):
            ours[hour_of(at)] = ours.get(hour_of(at), 0) + value
        same = row.checked_at is not None and (row.ours, row.theirs) == (sum(ours.values()), sum(theirs.values()))
        row.ours, row.theirs, row.checked_at = sum(ours.values()), sum(theirs.values()), now
        differing = {h: theirs.get(h, 0) - ours.get(h, 0) for h in ours.keys() | theirs.keys()}
        differing = {hour: more for hour, more in differing.items() if more}
        if of_day.filter(state__in=reports.UNSENT).exists():
            row.differs_since, row.due_at = None, now + UNSENT_AGAIN
        elif not differing:
            row.outcome = Outcome.CORRECTED if row.corrections else Outcome.AGREES
            row.differs_since, row.due_at = None, None if now >= end + AFTER else end + AFTER
        elif row.differs_since is None or not same:
            row.outcome, row.differs_since, row.due_at = Outcome.DIFFERS, now, now + CONFIRMED_AFTER
            log.warning("stripe's meter has %+d micro-dollars of %s on %s", row.difference, workspace_id, day)
        elif now >= row.differs_since + CONFIRMED_AFTER:
            _correct(row, differing, now)
        row.save()
    return row


def _correct(row: Reconciliation, differing: dict[datetime, int], now: datetime) -> None:
    if row.corrections >= MOST_CORRECTIONS:
        row.outcome, row.due_at = Outcome.STUCK, None
        log.error("stripe's meter stays wrong by %+d of %s on %s", row.difference, row.workspace_id, row.day)
        return
    row.corrections += 1
    log.error("stripe's meter had %+d micro-dollars of %s on %s: corrected", row.difference, row.workspace_id, row.day)
    for hour, more in differing.items():
        rows = Report.objects.filter(workspace_id=row.workspace_id)
        last = rows.filter(timestamp__gte=hour, timestamp__lt=hour + reports.HOUR).aggregate(at=Max("timestamp"))["at"]
        Report.objects.create(
            identifier=f"fix-{row.workspace_id}-{hour:%Y%m%d%H}-{row.corrections}",
            workspace_id=row.workspace_id,
            hour=hour,
            part=rows.filter(hour=hour).aggregate(part=Max("part", default=0))["part"] + 1,
            nanos=0,
            value=more,
            timestamp=last or hour,
            state=ReportState.ACCEPTED,
            sent_at=now,
        )
    reports.make_for(row.workspace_id, sorted(differing), now, flushed=True)
    row.corrected += row.difference
    row.outcome, row.differs_since, row.due_at = Outcome.CORRECTED, None, now + AFTER


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)

"""Which time a statement is about, from what a person or a program wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from portal.kit.errors import Problem

LONGEST = timedelta(days=1100)  # three years
_FIRST, _LAST = date(2000, 1, 1), date(2999, 12, 31)


class PeriodInvalid(Problem):
    """A time that cannot be read, or a period that ends before it begins."""

    status = 422
    code = "period_invalid"


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` until before `end`, in UTC."""

    start: datetime
    end: datetime

    @property
    def last_day(self) -> date:
        """The last day that it touches."""
        return (self.end - timedelta(microseconds=1)).date()


def read(given_from: str, given_to: str, now: datetime) -> Period:
    """The period between two days, both included, or between two moments with their zone, the second left out.

    Without the first: since the first of the month; without the second: until the end of today. Raises PeriodInvalid.
    """
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    end = _moment(given_to, "to", whole_day=True) if given_to else today + timedelta(days=1)
    start = _moment(given_from, "from") if given_from else (end - timedelta(microseconds=1)).replace(day=1)
    if not given_from:
        start = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if start >= end:
        raise PeriodInvalid(_("The period must end after it begins."), param="to")
    if end - start > LONGEST:
        raise PeriodInvalid(_("The period is longer than three years: ask for a shorter one."), param="from")
    return Period(start, end)


def moment_of(text: str) -> datetime | None:
    """The time that a program wrote with its zone; None where it is none, or in a year that not every store knows."""
    try:
        moment = parse_datetime(text.replace(" ", "+"))  # a plus sign in an address is a blank
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None and 1 < moment.year < 9999 else None


def _moment(text: str, param: str, *, whole_day: bool = False) -> datetime:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    moment = moment_of(text) if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)
    if moment is None or not _FIRST <= moment.date() <= _LAST:
        raise PeriodInvalid(
            _("Write a day like 2026-01-31, or a time with its zone like 2026-01-31T12:00:00Z."), param=param
        )
    return moment.astimezone(UTC) + timedelta(days=1 if day and whole_day else 0)

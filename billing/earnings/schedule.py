"""Paydays: every Monday or the first of the month, in UTC."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction

from billing.earnings import agreements, payouts
from billing.earnings.models import Publisher, Schedule
from billing.errors import PayoutRefused


def payday(schedule: str, today: date) -> date | None:
    """The last day of the schedule that has come; None without one."""
    if schedule == Schedule.WEEKLY:
        return today - timedelta(days=today.weekday())
    return today.replace(day=1) if schedule == Schedule.MONTHLY else None


def next_payday(schedule: str, today: date) -> date | None:
    """The next day of the schedule, after today."""
    last = payday(schedule, today)
    if last is None:
        return None
    return last + timedelta(days=7) if schedule == Schedule.WEEKLY else (last + timedelta(days=32)).replace(day=1)


def make_due(now: datetime) -> int:
    """Payouts of the paydays that have come, one each, also when this runs late; how many.

    A payday on which there was too little to send, or nowhere to send it, is over: the next one takes it all.
    """
    made, today = 0, now.date()
    for schedule in (Schedule.WEEKLY, Schedule.MONTHLY):
        day = payday(schedule, today)
        waiting = Publisher.objects.filter(schedule=schedule, decided_on__lt=day).values_list("pk", flat=True)
        made += sum(_decide(seller_id, schedule, day, now) for seller_id in list(waiting))
    return made


def _decide(seller_id: str, schedule: str, day: date | None, now: datetime) -> bool:
    with transaction.atomic():
        publisher = agreements.locked(seller_id)
        if day is None or publisher.schedule != schedule or publisher.decided_on >= day:
            return False  # somebody was faster
        publisher.decided_on = day
        publisher.save(update_fields=["decided_on"])
        try:
            with transaction.atomic():
                payouts.request(seller_id, now, due_on=day)
        except PayoutRefused:
            return False
    return True

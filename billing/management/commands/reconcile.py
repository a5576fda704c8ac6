"""`manage.py reconcile [--day YYYY-MM-DD]`: compares what was reported with what Stripe's meter has."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.errors import StripeUnavailable
from billing.stripe import reconciliation
from billing.stripe.client import reachable
from billing.stripe.models import Outcome


class Command(BaseCommand):
    help = "Compare reports with Stripe's meter: a day, or all days that are due. Differences that stand are corrected."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--day", help="like 2026-01-31 (UTC); without it, the days that are due")

    def handle(self, *args: Any, day: str | None, **options: Any) -> None:
        now = timezone.now()
        try:
            chosen = date.fromisoformat(day) if day else None
        except ValueError:
            raise CommandError(f"--day {day} is not a day like 2026-01-31.", returncode=2) from None
        try:
            with reachable():
                rows = reconciliation.check_day(chosen, now) if chosen else reconciliation.check_due(now)
        except StripeUnavailable as problem:
            raise CommandError(problem.message, returncode=1) from None
        wrong = [row for row in rows if row.difference]
        for row in wrong:
            self.stderr.write(f"{row}: {Outcome(row.outcome).label}")
        self.stdout.write(
            json.dumps(
                {
                    "compared": len(rows),
                    "differences": len(wrong),
                    "difference_micros": sum(row.difference for row in wrong),
                }
            )
        )
        if wrong:
            raise CommandError(f"{len(wrong)} differences", returncode=1)

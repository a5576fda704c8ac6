"""`manage.py reconcile [--day YYYY-MM-DD]`: compares what was reported with Stripe's meter, and the ledger with its balance."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.errors import StripeUnavailable
from billing.stripe import clearing, reconciliation
from billing.stripe.client import reachable
from billing.stripe.models import Outcome


class Command(BaseCommand):
    help = (
        "Compare reports with Stripe's meter, and the ledger with Stripe's balance: a day, or all days that are due. "
        "What the meter has too much or too little is corrected; what the ledger has, named."
    )

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
                days = [clearing.check_day(chosen, now)] if chosen else clearing.check_due(now)
                standing = clearing.standing(now)
        except StripeUnavailable as problem:
            raise CommandError(problem.message, returncode=1) from None
        wrong = [row for row in rows if row.difference]
        for row in wrong:
            self.stderr.write(f"{row}: {Outcome(row.outcome).label}")
        for sentence in (sentence for day in days for sentence in day.found):
            self.stderr.write(sentence)
        differences = len(wrong) + sum(bool(day.found) for day in days)
        figures = {
            "compared": len(rows),
            "differences": differences,
            "difference_micros": sum(row.difference for row in wrong),
            "balance_days": len(days),
            "balance_difference_cents": sum(day.difference_cents for day in days),
            "ledger_cents": standing.ours,
            "stripe_cents": standing.theirs,
            "on_their_way_cents": standing.on_their_way,
        }
        self.stdout.write(json.dumps(figures))
        if differences:
            raise CommandError(f"{differences} differences", returncode=1)

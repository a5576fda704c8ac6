"""`manage.py audit_ledger`: proves that the book, the leases, the events and the rollups agree."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.earnings import audit as earnings_audit
from billing.errors import ArchiveUnreadable
from billing.gate import caps, leases
from billing.ledger import audit
from billing.ledger.snapshot import snapshot
from billing.metering import costs, rollups
from billing.stripe import audit as stripe_audit
from billing.stripe import reports


class Command(BaseCommand):
    help = "Compare balances with entries, leases with events, holds with leases, rollups with events, publishers' balances with earnings, reports with rollups, costs of events with their prices, what Stripe did with money with postings."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--all", action="store_true", help="work out the cost of every event again, archived ones too"
        )

    def handle(self, *args: Any, all: bool, **options: Any) -> None:
        try:
            with snapshot():
                totals = audit.totals()
                wrong = audit.differences() + leases.differences() + caps.differences() + rollups.differences()
                lent = leases.open_nanos()
                wrong += audit.differences_of_lots(leases.open_grants()) + earnings_audit.differences()
                wrong += reports.differences() + stripe_audit.differences()
            checked = costs.check(everything=all)  # events never change: nobody waits for this
            wrong += checked.wrong
        except ArchiveUnreadable as error:
            raise CommandError(str(error), returncode=1) from error
        if lent != totals["holds"]:
            wrong.append(f"open leases {lent}, holds {totals['holds']}")
        for sentence in wrong:
            self.stderr.write(sentence)
        self.stdout.write(
            json.dumps({"differences": len(wrong), "totals_nanos": totals, "costs_checked": checked.events})
        )
        if wrong:
            raise CommandError(f"{len(wrong)} differences", returncode=1)

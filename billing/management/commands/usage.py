"""`manage.py usage EMAIL`: what the person's workspace used, as JSON."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date, parse_datetime

from billing import money
from billing.metering.log import ALWAYS, Log
from portal.accounts.models import User
from portal.accounts.workspaces import open_personal


class Command(BaseCommand):
    help = "Print the usage events of a person's workspace and their total."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--since", help="a date or time (ISO 8601, UTC)")
        parser.add_argument("--json", action="store_true", help="only the JSON line")

    def handle(self, *args: Any, email: str, since: str | None, **options: Any) -> None:
        user = User.objects.filter(email=email.lower()).first()
        if user is None:
            raise CommandError(f"Nobody has the address {email}.", returncode=2)
        events = Log(open_personal(user).pk, since=_moment(since) if since else ALWAYS).oldest_first()
        rows = [
            {
                "id": event.id,
                "request_id": event.request_id,
                "time": event.recorded_at.isoformat(),
                "model": event.model,
                "replica": event.replica,
                "status": event.status,
                "operation_id": event.operation_id,
                "key": event.key_id,
                "protocol": event.protocol,
                "units": event.units,
                "cost_nanos": event.cost_nanos,
                "latency_ms": event.latency_ms,
            }
            for event in events
        ]
        total = sum(row["cost_nanos"] for row in rows)
        if not options["json"]:
            for row in rows:
                self.stdout.write(f"{row['time']}  {row['model']:40} {money.show(row['cost_nanos'])}")
        self.stdout.write(json.dumps({"events": rows, "total_nanos": total, "total": money.decimal(total)}))


def _moment(text: str) -> Any:
    try:
        moment = parse_datetime(text)
        if moment is None:
            day = parse_date(text)
            moment = parse_datetime(f"{day}T00:00:00") if day else None
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"--since {text} is not a date or time like 2026-01-31T12:00:00Z.", returncode=2)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""`manage.py archive_usage`: moves old usage events to Parquet files now, instead of at night."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.errors import ArchiveUnreadable
from billing.metering import archive


class Command(BaseCommand):
    help = "Move the events of months that ended more than USAGE_KEPT_DAYS ago to Parquet files."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            moved = archive.archive(timezone.now())
        except ArchiveUnreadable as error:
            raise CommandError(str(error), returncode=1) from error
        self.stdout.write(json.dumps({"events": moved}))

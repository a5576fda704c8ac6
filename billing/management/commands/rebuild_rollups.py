"""`manage.py rebuild_rollups`: sums all usage events anew."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand

from billing.metering import rollups


class Command(BaseCommand):
    help = "Make the hourly sums of usage again from the events; what is right is left as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps({"rollups": rollups.rebuild()}))

"""`manage.py rotate_receipt_key`: a new key signs receipts from now on."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand

from billing.receipts import keys


class Command(BaseCommand):
    help = "Sign receipts with a new key from now on; what was signed before can still be checked."

    def handle(self, *args: Any, **options: Any) -> None:
        key = keys.rotate()
        self.stdout.write(json.dumps({"id": key.pk, "public_key": key.public}))

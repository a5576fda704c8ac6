"""`manage.py verify_receipt FILE`: whether a usage receipt is as it was signed."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from billing import money
from billing.receipts import keys
from billing.receipts.chain import KeyUnknown, ReceiptInvalid, check


class Command(BaseCommand):
    help = "Check a usage receipt. Exit status: 0 it is as it was signed, 1 it is not, 2 it cannot be checked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--keys", help="a copy of /.well-known/mercato-receipt-key.json; else this installation's")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        try:
            with open(options["keys"] or file, "rb") as beside:
                known = json.load(beside) if options["keys"] else keys.published()
            public = {str(key["id"]): str(key["public_key"]) for key in known["keys"]}
            with open(file, "rb") as lines:
                found = check(lines, public)
        except ReceiptInvalid as error:
            self._end(1, valid=False, reason=str(error))
        except (KeyUnknown, OSError, ValueError, KeyError, TypeError) as error:
            self._end(2, valid=None, reason=str(error) or type(error).__name__)
        else:
            cost = money.decimal(found.signed["cost_nanos"])
            self._end(0, valid=True, **found.receipt, **found.signed, cost=cost)

    def _end(self, status: int, **said: Any) -> None:
        self.stdout.write(json.dumps(said))
        sys.exit(status)

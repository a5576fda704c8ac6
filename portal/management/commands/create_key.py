"""`manage.py create_key EMAIL`: a key for the person's personal workspace."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from billing import money
from billing.gate.caps import set_cap
from portal.accounts.keys.issuing import issue
from portal.accounts.models import User
from portal.accounts.workspaces import open_personal
from portal.kit.errors import Problem


class Command(BaseCommand):
    help = "Create an API key; prints the key alone. It cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="command line")
        parser.add_argument("--rpm", type=int, default=settings.KEY_DEFAULT_RPM, help="requests a minute; 0: no limit")
        parser.add_argument("--cap", metavar="USD", help="the most that the key may ever spend")

    def handle(self, *args: Any, email: str, name: str, rpm: int, cap: str | None, **options: Any) -> None:
        user = User.objects.filter(email=email.strip().lower()).first()
        if user is None:
            raise CommandError(f"Nobody has the address {email}.", returncode=2)
        if rpm < 0:
            raise CommandError("--rpm must be 0 or more.", returncode=2)
        try:
            with transaction.atomic():
                key, secret = issue(open_personal(user), name, user, rpm)
                if cap is not None:
                    set_cap(key, money.parse(cap))
        except Problem as error:
            raise CommandError(error.message, returncode=2) from error
        self.stdout.write(secret)

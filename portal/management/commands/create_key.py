"""`manage.py create_key EMAIL`: a key for the person's personal workspace."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from billing import money
from billing.gate.caps import set_cap
from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.keys.models import KeyKind, default_scopes
from portal.accounts.keys.scopes import SCOPES
from portal.accounts.models import User
from portal.accounts.workspaces import open_personal
from portal.kit.errors import Problem


class Command(BaseCommand):
    help = "Create an API key; prints the key alone. It cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="command line")
        parser.add_argument("--rpm", type=int, default=settings.KEY_DEFAULT_RPM, help="requests a minute; 0: no limit")
        parser.add_argument("--tpm", type=int, default=0, help="tokens a minute; 0: no limit")
        parser.add_argument("--concurrency", type=int, default=0, help="requests at once; 0: no limit")
        parser.add_argument("--scope", action="append", choices=list(SCOPES), help="what it may do; may be repeated")
        parser.add_argument(
            "--model", action="append", default=[], help="publisher/name or publisher/*; all if not given"
        )
        parser.add_argument("--network", action="append", default=[], help="CIDR from which it may be used")
        parser.add_argument("--days", type=float, help="it expires after so many")
        parser.add_argument("--test", action="store_true", help="answers are made up and free")
        parser.add_argument("--cap", metavar="USD", help="the most that the key may ever spend")
        for period in ("day", "week", "month"):
            parser.add_argument(f"--cap-{period}", metavar="USD", help=f"the most that it may spend a {period}")

    def handle(self, *args: Any, **given: Any) -> None:
        user = User.objects.filter(email=given["email"].strip().lower()).first()
        if user is None:
            raise CommandError(f"Nobody has the address {given['email']}.", returncode=2)
        if min(given["rpm"], given["tpm"], given["concurrency"]) < 0:
            raise CommandError("--rpm, --tpm and --concurrency must be 0 or more.", returncode=2)
        limits = Limits(
            rpm=given["rpm"],
            tpm=given["tpm"],
            concurrency=given["concurrency"],
            scopes=given["scope"] or default_scopes(),
            models=given["model"],
            networks=given["network"],
            expires_at=timezone.now() + timedelta(days=given["days"]) if given["days"] is not None else None,
        )
        caps = {"total": given["cap"], **{period: given[f"cap_{period}"] for period in ("day", "week", "month")}}
        try:
            with transaction.atomic():
                kind = KeyKind.TEST if given["test"] else KeyKind.LIVE
                key, secret = issue(open_personal(user), given["name"], user, limits, kind)
                for period, cap in caps.items():
                    if cap is not None:
                        set_cap(key, money.parse(cap), period)
        except Problem as error:
            raise CommandError(error.message, returncode=2) from error
        self.stdout.write(secret)

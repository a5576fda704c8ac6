"""`manage.py seed`: what a new installation starts with. Run again, it changes nothing."""

from __future__ import annotations

import io
import json
import os
import secrets
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from billing.plans.seeds import seed_plans
from marketplace.training.seeds import seed_starters
from portal.accounts.models import User, Workspace

PUBLISHER = "mercato"
DEMO = {"operator": "operator@mercato.example", "customer": "customer@mercato.example"}


class Command(BaseCommand):
    help = "Seed plans, starter models and two demo accounts; prints the accounts as JSON."

    def handle(self, *args: Any, **options: Any) -> None:
        seed_plans()
        publisher, _ = Workspace.objects.get_or_create(slug=PUBLISHER, defaults={"name": "Mercato"})
        models = seed_starters(publisher)
        accounts = _demo_accounts()
        self.stdout.write(json.dumps({"models": [model.slug for model in models], "accounts": accounts}))


def _demo_accounts() -> dict[str, dict[str, str]]:
    """Both accounts with their passwords, which are made once and kept readable by their owner only."""
    path = settings.DATA_DIR / "demo-accounts.json"
    if not path.exists():
        made = {name: {"email": email, "password": secrets.token_urlsafe(12)} for name, email in DEMO.items()}
        building = path.with_suffix(".new")
        with os.fdopen(os.open(building, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            json.dump(made, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(building, path)
    accounts: dict[str, dict[str, str]] = json.loads(path.read_text())
    for name, account in accounts.items():
        if not User.objects.filter(email=account["email"]).exists():
            # With "=", since a password may begin with a hyphen.
            given = [account["email"], f"--password={account['password']}"]
            call_command(
                "create_account", *given, *(["--superuser"] if name == "operator" else []), stdout=io.StringIO()
            )
    return accounts

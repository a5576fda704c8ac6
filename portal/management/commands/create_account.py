"""`manage.py create_account EMAIL --password P`: a person who need not confirm an address."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction

from billing import money
from billing.plans.allowances import grant, open_workspace
from portal.accounts.models import User
from portal.accounts.workspaces import open_personal
from portal.kit.errors import Problem


class Command(BaseCommand):
    help = "Create a person with a personal workspace; prints the workspace's slug."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--password", required=True)
        parser.add_argument("--superuser", action="store_true", help="an operator")
        parser.add_argument("--credit", metavar="USD", help="promotional credit")

    def handle(
        self, *args: Any, email: str, password: str, superuser: bool, credit: str | None, **options: Any
    ) -> None:
        email = email.strip().lower()
        try:
            validate_email(email)
            nanos = money.parse(credit) if credit is not None else 0
            validate_password(password, User(email=email))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages), returncode=2) from error
        except Problem as error:
            raise CommandError(error.message, returncode=2) from error
        if User.objects.filter(email=email).exists():
            raise CommandError(f"{email} has an account already.", returncode=2)
        with transaction.atomic():
            create = User.objects.create_superuser if superuser else User.objects.create_user
            user = create(email, password)
            EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
            workspace = open_personal(user)
            open_workspace(workspace)
            if nanos:
                grant(workspace, nanos, f"create_account:{workspace.pk}", "Credit given at creation")
        self.stdout.write(workspace.slug)

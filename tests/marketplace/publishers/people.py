"""A publisher, and an operator who decides."""

from __future__ import annotations

from django.test import Client
from django.utils import timezone

from marketplace.publishers import applying, terms
from marketplace.publishers.models import Application, ApplicationState
from portal.accounts.models import User, Workspace
from tests.fixtures.people import person, signed_in

SAID = {"about": "We read receipts.", "site": "https://example.com", "contact": "a@example.com", "sells": "Readers."}


def operator() -> User:
    found = User.objects.filter(email="op@example.com").first() or person("op@example.com")
    User.objects.filter(pk=found.pk).update(is_staff=True, is_superuser=True)
    return User.objects.get(pk=found.pk)


def console() -> Client:
    return signed_in(operator())


def applied(workspace: Workspace, by: User) -> Application:
    return applying.apply(workspace, by, SAID, str(terms.current()), timezone.now())


def approved(workspace: Workspace, by: User) -> Application:
    """The workspace is a publisher from now on."""
    asked = applied(workspace, by)
    return applying.decide(asked, ApplicationState.APPROVED, operator(), "", timezone.now())

"""/status: what works right now."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace.catalog.visibility import ANYBODY, listed
from portal.kit.caches import RecentValues

TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the house."""

    name: str | Promise
    works: bool
    says: str | Promise


def _database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Part(_("Database"), False, _("does not answer"))
    return Part(_("Database"), True, _("answers"))


def _stripe() -> Part:
    address = urlsplit(settings.STRIPE_API_BASE or "https://api.stripe.com")
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), TIMEOUT_S).close()
    except OSError:
        return Part(_("Payments"), False, _("cannot be reached"))
    return Part(_("Payments"), True, _("local sandbox") if settings.STRIPE_IS_SANDBOX else _("Stripe"))


def _models() -> Part:
    models = listed(ANYBODY)
    counts = {"live": models.exclude(live_version=None).count(), "all": models.count()}
    return Part(_("Models"), True, _("%(live)d of %(all)d live") % counts)


# At most five seconds old: a page that everyone may reload must not become a load.
_recent: RecentValues[str, list[Part]] = RecentValues(
    lambda which: [Part(_("Portal"), True, _("answers")), _database(), _stripe(), _models()], 5
)


def status(request: HttpRequest) -> HttpResponse:
    """The page."""
    parts = _recent.get("all")
    context = {"parts": parts, "all_work": all(part.works for part in parts), "now": timezone.now()}
    return render(request, "portal/status.html", context)

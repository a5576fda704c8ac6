"""The one configured client: Stripe, or its stand-in. `stripe` is imported in this folder only."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import stripe
from django.conf import settings
from django.db import connections
from django.utils.translation import gettext as _

from billing.errors import StripeUnavailable
from billing.stripe.models import StripeLink

stripe.enable_telemetry = False  # it would write an id to the home folder


class Line(stripe.RequestsClient):
    """Every request leaves here, and none while a transaction is open: its locks would last as long as Stripe's answer."""

    def request(self, method: str, url: str, headers: Any, post_data: Any = None) -> Any:  # type: ignore[override]
        """Raises RuntimeError in a transaction; else as the SDK's."""
        for connection in connections.all(initialized_only=True):
            # Tests run in blocks that Django marks.
            if not all(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
                raise RuntimeError(f"{method} {url} was to be sent while a transaction is open")
        return super().request(method, url, headers, post_data)


@cache
def client() -> stripe.StripeClient:
    """The client. All four addresses are set where one is, or one call would escape to the real host."""
    addresses: Any = {}
    if settings.STRIPE_API_BASE:
        addresses = dict.fromkeys(("api", "files", "connect", "meter_events"), settings.STRIPE_API_BASE)
    return stripe.StripeClient(
        settings.STRIPE_API_KEY,
        max_network_retries=2,
        http_client=Line(timeout=(3.05, 20)),  # seconds: connect, read
        base_addresses=addresses,
    )


class Pace:
    """So many calls a second at most, of all threads that share it."""

    def __init__(self, calls_a_second: float) -> None:
        self._guard, self._pause_s, self._next = threading.Lock(), 1 / calls_a_second, time.monotonic()

    def wait(self) -> None:
        """Until the next call may be made."""
        with self._guard:
            at = max(self._next, time.monotonic())
            self._next = at + self._pause_s
        time.sleep(max(at - time.monotonic(), 0))


@contextmanager
def reachable() -> Iterator[None]:
    """Turns Stripe's failures into StripeUnavailable (503)."""
    try:
        yield
    except (
        stripe.APIConnectionError, stripe.RateLimitError, stripe.AuthenticationError, stripe.APIError,
        stripe.IdempotencyError,  # the same was asked a moment ago and is not answered yet
    ) as error:  # fmt: skip
        raise StripeUnavailable(
            _("The payment service does not answer: nothing was changed. Try again shortly."), retry_after_s=5
        ) from error


_account = ""


def account() -> str:
    """Whose objects the ids are: the sandbox's must not be taken for the real account's."""
    global _account
    if not _account:
        _account = str(client().v1.accounts.retrieve_current().id)
    return _account


def linked(kind: str, key: str) -> str | None:
    """Stripe's id of our thing, if we know one."""
    return StripeLink.objects.filter(account=account(), kind=kind, key=key).values_list("stripe_id", flat=True).first()


def link(kind: str, key: str, stripe_id: str) -> str:
    """Remembers Stripe's id; two at once keep the first."""
    found, _ = StripeLink.objects.get_or_create(
        account=account(), kind=kind, key=key, defaults={"stripe_id": stripe_id}
    )
    return found.stripe_id


def key_of(kind: str, stripe_id: str) -> str | None:
    """Our key of Stripe's thing."""
    return (
        StripeLink.objects.filter(account=account(), kind=kind, stripe_id=stripe_id)
        .values_list("key", flat=True)
        .first()
    )

"""What Stripe tells us: verified, stored once, answered at once, handled once."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import stripe
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from billing.stripe.client import client
from billing.stripe.handlers import HANDLERS
from billing.stripe.models import StripeEvent
from portal.kit.errors import Problem

log = logging.getLogger(__name__)
MOST_BYTES = 256 * 1024
TOLERANCE_S = 900  # a clock may be ten minutes wrong; what is repeated meanwhile is known by its id
STUCK_AFTER = timedelta(seconds=30)
MOST_ATTEMPTS = 20


class WebhookRefused(Problem):
    """Not signed by Stripe, too old, or not an event."""

    status = 400
    code = "webhook_refused"


def receive(body: bytes, signature: str) -> str | None:
    """Stores a delivery under its event's id; the id to handle, or None for one that we have or do not need.

    Raises WebhookRefused; then nothing has changed.
    """
    _check(body, settings.STRIPE_WEBHOOK_SECRET)
    try:
        event = client().construct_event(body, signature, settings.STRIPE_WEBHOOK_SECRET, tolerance=TOLERANCE_S)
    except (ValueError, stripe.SignatureVerificationError) as error:
        raise WebhookRefused("The signature does not fit the body, or is too old.") from error
    if "id" not in event or "type" not in event or "data" not in event:
        raise WebhookRefused("The body is not an event.")
    if event.type not in HANDLERS:
        return None
    thing = event.data.object
    _, new = StripeEvent.objects.get_or_create(
        id=event.id,
        defaults={
            "type": event.type,
            "object_id": thing["id"] if "id" in thing else "",  # noqa: SIM401 – resources are no dicts
            "created_at": datetime.fromtimestamp(event.created, UTC),
        },
    )
    return event.id if new else None


def receive_thin(body: bytes, signature: str) -> str | None:
    """The same for thin events, which have an endpoint, a secret and a form of their own.

    Raises WebhookRefused for what Stripe did not sign. Whatever it did sign is taken: it would come for three days.
    """
    secret = settings.STRIPE_THIN_WEBHOOK_SECRET
    _check(body, secret)
    try:
        event = client().parse_event_notification(body, signature, secret, tolerance=TOLERANCE_S)
        created = datetime.fromisoformat(event.created)
    except stripe.SignatureVerificationError as error:
        raise WebhookRefused("The signature does not fit the body, or is too old.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        log.error("stripe sent a thin event that this version cannot read: %r", error)
        return None
    if event.type not in HANDLERS:
        return None
    # What its handler fetches anew is the event.
    known = {"type": event.type, "object_id": event.id, "created_at": created}
    _, new = StripeEvent.objects.get_or_create(id=event.id, defaults=known)
    return event.id if new else None


def _check(body: bytes, secret: str) -> None:
    if not secret:
        raise RuntimeError("the webhook's secret is empty: nothing can be trusted")
    if len(body) > MOST_BYTES:
        raise WebhookRefused("The event is too large.", status=413)


def handle(event_id: str) -> bool:
    """Does what the event means, in one transaction with marking it done. False if it was done before.

    Holds the event's row, so that two workers with the same event do it once. Raises what the handler raises, after
    counting the attempt.
    """
    try:
        with transaction.atomic():
            event = _locked(event_id)
            if event is None:
                return False
            HANDLERS[event.type](event.object_id)
            event.handled_at = timezone.now()
            event.error = ""
            event.save(update_fields=["handled_at", "error"])
    except Exception as error:
        StripeEvent.objects.filter(pk=event_id).update(
            attempts=F("attempts") + 1, error=f"{type(error).__name__}: {error}"[:300]
        )
        raise
    return True


def _locked(event_id: str) -> StripeEvent | None:
    """The event if it waits, with all that wait with the same object: who fetched it earlier must not write later."""
    told = StripeEvent.objects.filter(pk=event_id).first()
    if told is None:
        return None
    waiting = StripeEvent.objects.select_for_update().filter(handled_at=None).order_by("pk")
    same = waiting.filter(object_id=told.object_id) if told.object_id else waiting.filter(pk=event_id)
    return next((event for event in same if event.pk == event_id), None)


def stuck(now: datetime) -> list[str]:
    """Events that nobody handled: their message was lost, or Stripe did not answer."""
    waiting = StripeEvent.objects.filter(handled_at=None, received_at__lt=now - STUCK_AFTER, attempts__lt=MOST_ATTEMPTS)
    return list(waiting.order_by("received_at").values_list("pk", flat=True)[:500])

"""What Stripe tells us: verified, stored once, answered at once, handled once."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import stripe
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from billing.stripe.client import client
from billing.stripe.handlers import HANDLERS
from billing.stripe.models import StripeEvent
from portal.kit.errors import Problem

log = logging.getLogger(__name__)
MOST_BYTES = 256 * 1024
TOLERANCE_S = 900  # a clock may be ten minutes wrong; what is repeated meanwhile is known by its id
STUCK_AFTER = timedelta(seconds=30)
CLAIMED_FOR = timedelta(minutes=2)  # longer than the client's timeouts and retries together
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
    """Does what the event means, and marks it as done. False if it was done before, or another worker is at it.

    Events of the same object that wait are done with it: the object is looked at once. What dies in between is done
    again, which changes nothing. Raises what the handler raises, after counting the attempt.
    """
    told = StripeEvent.objects.filter(pk=event_id).first()
    handler = HANDLERS.get(told.type) if told else None
    if told is None or handler is None:
        return False
    mine = StripeEvent.objects.filter(pk__in=_claimed(told, timezone.now()), handled_at=None)
    if not mine:
        return False
    try:
        handler(told.object_id)
    except Exception as error:
        mine.update(attempts=F("attempts") + 1, error=f"{type(error).__name__}: {error}"[:300], claimed_until=None)
        raise
    mine.update(handled_at=timezone.now(), error="", claimed_until=None)
    return True


def _claimed(told: StripeEvent, now: datetime) -> list[str]:
    """The event and all that wait with the same object, now ours for a while; none where a worker is at the event.

    One that comes after this has its object looked at again.
    """
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    with transaction.atomic():
        waiting = StripeEvent.objects.select_for_update().filter(free, object_id=told.object_id, handled_at=None)
        found = [event.pk for event in waiting.order_by("pk") if HANDLERS.get(event.type) is HANDLERS[told.type]]
        if told.pk not in found:
            return []
        StripeEvent.objects.filter(pk__in=found).update(claimed_until=now + CLAIMED_FOR)
    return found


def stuck(now: datetime) -> list[str]:
    """Events that nobody handled: their message was lost, or Stripe did not answer."""
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    waiting = StripeEvent.objects.filter(
        free, handled_at=None, received_at__lt=now - STUCK_AFTER, attempts__lt=MOST_ATTEMPTS
    )
    return list(waiting.order_by("received_at").values_list("pk", flat=True)[:500])

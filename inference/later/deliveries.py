"""Webhooks to users, by Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks

Signed, retried on the specification's schedule, logged. A receiver that answers 410 is not called again.
"""

from __future__ import annotations

import base64
import random
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from standardwebhooks import Webhook

from inference.later.models import Delivery, Endpoint
from portal.kit import outbound, seals
from portal.kit.errors import Problem

TIMEOUT_S = 15
MOST_URL = 500  # characters
OVERLAP = timedelta(hours=24)  # both secrets sign after a rotation
_S, _M, _H = 1, 60, 3_600
SCHEDULE_S = (0, 5 * _S, 5 * _M, 30 * _M, 2 * _H, 5 * _H, 10 * _H, 14 * _H, 20 * _H, 24 * _H)
CLAIMED = timedelta(seconds=60)  # a delivery whose sender died is tried again after this


class WebhookInvalid(Problem):
    """An address or events that cannot be."""

    status = 422
    code = "webhook_invalid"


class WebhookMissing(Problem):
    """The workspace has no such webhook or delivery."""

    status = 404
    code = "webhook_not_found"


EVENTS = (
    "prediction.started",
    "prediction.completed",
    "batch.completed",
    "golden_run.completed",
    "model.rolled_back",
    "budget.threshold_reached",
    "webhook.test",
)
REFUSALS = (  # what outbound says of an address, for translators
    gettext_noop("the port is not a number"),
    gettext_noop("it must be http:// or https:// with a host and no user name"),
    gettext_noop("its host cannot be found"),
    gettext_noop("its host is in a private network"),
)


def open_endpoint(workspace_id: str, url: str, events: list[str]) -> tuple[Endpoint, str]:
    """A new endpoint and its secret. Raises WebhookInvalid for an address that may not be called."""
    _check_events(events)
    if len(url) > MOST_URL:
        raise WebhookInvalid(_("The address is longer than %(n)d characters.") % {"n": MOST_URL}, param="/url")
    try:
        outbound.check(url, settings.OUTBOUND_ALLOWED_HOSTS)
    except outbound.AddressRefused as error:
        why = _(str(error))
        raise WebhookInvalid(_("This address cannot be called: %(why)s.") % {"why": why}, param="/url") from error
    return _make(workspace_id, url, events)


def choose(endpoint: Endpoint, events: list[str]) -> None:
    """It is told of these from now on; of all where there are none. Raises WebhookInvalid."""
    _check_events(events)
    Endpoint.objects.filter(pk=endpoint.pk).update(events=events)


def disable(endpoint: Endpoint) -> None:
    """Nothing more is queued for it; what is queued already is still sent."""
    Endpoint.objects.filter(pk=endpoint.pk, disabled_at=None).update(disabled_at=timezone.now())


def enable(endpoint: Endpoint) -> None:
    """It is told again, of what happens from now on."""
    Endpoint.objects.filter(pk=endpoint.pk).update(disabled_at=None)


def signer(workspace_id: str) -> Endpoint:
    """The workspace's endpoint without an address, whose secret signs what goes to predictions' own webhooks."""
    found = Endpoint.objects.filter(workspace_id=workspace_id, url="").first()
    return found or _make(workspace_id, "", [])[0]


def secret_of(endpoint: Endpoint) -> str:
    """The secret, for its owner."""
    return seals.unseal(endpoint.secret, settings.SECRET_KEY)


def rotate(endpoint: Endpoint) -> str:
    """A new secret; the one before signs too for OVERLAP."""
    secret = _new_secret()
    endpoint.previous_secret, endpoint.previous_until = endpoint.secret, timezone.now() + OVERLAP
    endpoint.secret = seals.seal(secret, settings.SECRET_KEY)
    endpoint.save(update_fields=["secret", "previous_secret", "previous_until"])
    return secret


def queue(workspace_id: str, kind: str, data: Mapping[str, Any]) -> None:
    """A message to each of the workspace's endpoints that wants this event."""
    for endpoint in Endpoint.objects.filter(workspace_id=workspace_id, disabled_at=None).exclude(url=""):
        if not endpoint.events or kind in endpoint.events:
            _queue(endpoint, endpoint.url, kind, data)


def queue_to(workspace_id: str, url: str, kind: str, data: Mapping[str, Any]) -> Delivery:
    """A message to one address."""
    return _queue(signer(workspace_id), url, kind, data)


def test(endpoint: Endpoint) -> Delivery:
    """A message that says nothing happened."""
    return _queue(endpoint, endpoint.url, "webhook.test", {"message": "This is a test."})


def again(delivery: Delivery) -> None:
    """Tries it once more, now."""
    Delivery.objects.filter(pk=delivery.pk).update(next_at=timezone.now(), delivered_at=None)


def send_due(now: datetime, most: int = 100) -> int:
    """Sends what is due; how many were taken. Two senders at once send nothing twice."""
    taken = 0
    for delivery in Delivery.objects.filter(next_at__lte=now).select_related("endpoint").order_by("next_at")[:most]:
        mine = Delivery.objects.filter(pk=delivery.pk, next_at=delivery.next_at)
        if mine.update(next_at=now + CLAIMED):
            taken += _send(delivery)
    return taken


def signatures(endpoint: Endpoint, message_id: str, at: datetime, body: str) -> str:
    """The webhook-signature header: two during a rotation."""
    sealed = [endpoint.secret]
    if endpoint.previous_secret and endpoint.previous_until and endpoint.previous_until > at:
        sealed.append(endpoint.previous_secret)
    return " ".join(Webhook(seals.unseal(one, settings.SECRET_KEY)).sign(message_id, at, body) for one in sealed)


def _check_events(events: list[str]) -> None:
    if any(event not in EVENTS for event in events):
        raise WebhookInvalid(_("events are some of %(events)s.") % {"events": ", ".join(EVENTS)}, param="/events")


def _send(delivery: Delivery) -> bool:
    now = timezone.now()
    body = orjson.dumps({"type": delivery.kind, "timestamp": now.isoformat(), "data": delivery.payload}).decode()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": delivery.pk,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signatures(delivery.endpoint, delivery.pk, now, body),
    }
    status: int | None = None
    wait: float | None = None
    try:
        answer = outbound.post(delivery.url, body.encode(), headers, TIMEOUT_S, settings.OUTBOUND_ALLOWED_HOSTS)
        status, said, wait = answer.status, answer.text, answer.retry_after_s
    except outbound.AddressRefused as error:
        said = f"not sent: {error}"
    except outbound.Unreachable as error:
        said = f"nobody answered: {error}"
    taken = status is not None and 200 <= status < 300
    attempts = delivery.attempts + 1
    over = taken or status == 410 or attempts >= len(SCHEDULE_S)
    change: dict[str, Any] = {"attempts": attempts, "status": status, "response": said[:500], "next_at": None}
    if taken:
        change["delivered_at"] = now
    elif not over:
        pause = max(SCHEDULE_S[attempts] * random.uniform(0.9, 1.1), wait or 0)  # noqa: S311 – spreads load
        change["next_at"] = now + timedelta(seconds=pause)
    if not taken and over and delivery.endpoint.url:
        Endpoint.objects.filter(pk=delivery.endpoint_id).update(disabled_at=now)
    Delivery.objects.filter(pk=delivery.pk).update(**change)
    return taken


def _queue(endpoint: Endpoint, url: str, kind: str, data: Mapping[str, Any]) -> Delivery:
    now = timezone.now()
    return Delivery.objects.create(endpoint=endpoint, url=url, kind=kind, payload=data, next_at=now, created_at=now)


def _make(workspace_id: str, url: str, events: list[str]) -> tuple[Endpoint, str]:
    secret = _new_secret()
    endpoint = Endpoint.objects.create(
        workspace_id=workspace_id,
        url=url,
        events=events,
        secret=seals.seal(secret, settings.SECRET_KEY),
        created_at=timezone.now(),
    )
    return endpoint, secret


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()

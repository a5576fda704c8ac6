"""/v1/webhooks: where a workspace wants to be told, and what became of each message."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from inference.api.view import FieldInvalid, PredictionView, fields
from inference.later import deliveries
from inference.later.deliveries import WebhookMissing
from inference.later.models import Delivery, Endpoint
from inference.later.waking import wake
from portal.accounts.wire.answers import json_answer

MOST_LISTED = 200


class WebhookView(PredictionView):
    """A view of the workspace's own endpoints."""

    scope = "keys"

    def endpoint(self, endpoint_id: str) -> Endpoint:
        """Raises WebhookMissing."""
        own = Endpoint.objects.filter(workspace_id=self.caller.workspace_id)
        found = own.filter(url="").first() if endpoint_id == "default" else own.filter(pk=endpoint_id).first()
        if found is None and endpoint_id == "default":
            return deliveries.signer(self.caller.workspace_id)
        if found is None:
            raise WebhookMissing("There is no such webhook.")
        return found


class Webhooks(WebhookView):
    """The workspace's webhooks."""

    def get(self, request: Request) -> HttpResponse:
        own = Endpoint.objects.filter(workspace_id=self.caller.workspace_id).exclude(url="").order_by("-created_at")
        return json_answer({"object": "list", "data": [_shown(endpoint) for endpoint in own[:MOST_LISTED]]})

    def post(self, request: Request) -> HttpResponse:
        """A new one; its secret is shown once."""
        given = fields(self.body(request))
        events = given.get("events") or []
        if not isinstance(given.get("url"), str) or not isinstance(events, list):
            raise FieldInvalid("Send url, and events as a list where not all are wanted.", param="/url")
        endpoint, secret = deliveries.open_endpoint(self.caller.workspace_id, given["url"], events)
        return json_answer({**_shown(endpoint), "secret": secret}, status=201)


class OneWebhook(WebhookView):
    """One webhook."""

    def get(self, request: Request, endpoint_id: str) -> HttpResponse:
        return json_answer(_shown(self.endpoint(endpoint_id)))

    def delete(self, request: Request, endpoint_id: str) -> HttpResponse:
        """It is told nothing more."""
        endpoint = self.endpoint(endpoint_id)
        shown = _shown(endpoint)
        endpoint.delete()
        return json_answer({**shown, "deleted": True})


class WebhookSecret(WebhookView):
    """Its secret; the one of `default` signs what goes to predictions' own webhooks."""

    def get(self, request: Request, endpoint_id: str) -> HttpResponse:
        return json_answer({"key": deliveries.secret_of(self.endpoint(endpoint_id))})


class RotateWebhook(WebhookView):
    """A new secret; both sign for a day."""

    def post(self, request: Request, endpoint_id: str) -> HttpResponse:
        endpoint = self.endpoint(endpoint_id)
        secret = deliveries.rotate(endpoint)
        return json_answer({**_shown(endpoint), "secret": secret})


class TestWebhook(WebhookView):
    """Sends a test event."""

    def post(self, request: Request, endpoint_id: str) -> HttpResponse:
        endpoint = self.endpoint(endpoint_id)
        if not endpoint.url:
            raise FieldInvalid("This one has no address of its own.", param="")
        delivery = deliveries.test(endpoint)
        wake("send_webhooks")
        return json_answer(_told(delivery), status=201)


class Deliveries(WebhookView):
    """What was sent and answered, the newest first."""

    def get(self, request: Request, endpoint_id: str) -> HttpResponse:
        listed = self.endpoint(endpoint_id).deliveries.order_by("-created_at")[:MOST_LISTED]
        return json_answer({"object": "list", "data": [_told(delivery) for delivery in listed]})


class RetryDelivery(WebhookView):
    """Sends a message again."""

    def post(self, request: Request, endpoint_id: str, delivery_id: str) -> HttpResponse:
        delivery = self.endpoint(endpoint_id).deliveries.filter(pk=delivery_id).first()
        if delivery is None:
            raise WebhookMissing("There is no such delivery.")
        deliveries.again(delivery)
        wake("send_webhooks")
        delivery.refresh_from_db()
        return json_answer(_told(delivery))


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.pk,
        "object": "webhook",
        "url": endpoint.url or None,
        "events": endpoint.events or list(deliveries.EVENTS),
        "created_at": endpoint.created_at.isoformat(),
        "disabled_at": endpoint.disabled_at.isoformat() if endpoint.disabled_at else None,
    }


def _told(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.pk,
        "object": "webhook.delivery",
        "event": delivery.kind,
        "url": delivery.url,
        "payload": delivery.payload,
        "attempts": delivery.attempts,
        "status": delivery.status,
        "response": delivery.response,
        "delivered_at": delivery.delivered_at.isoformat() if delivery.delivered_at else None,
        "next_attempt_at": delivery.next_at.isoformat() if delivery.next_at else None,
    }

"""/v1/keys: keys managed by programs. /v1/key: what the key that asks may do and has left. /v1/tokens: for browsers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from billing import money
from billing.gate.standing import Standing, standings
from billing.gate.tokens import issue_token
from marketplace.catalog.resolve import resolve
from portal.accounts.keys.issuing import revoke, rotate
from portal.accounts.keys.models import KeyKind
from portal.accounts.keys.scopes import LimitsInvalid
from portal.accounts.models import Key, Workspace
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.view import KeyedView
from portal.kit.errors import Problem
from portal.pages import key_limits
from portal.pages.key_left import left_of

MOST_LISTED = 1_000


class KeyMissing(Problem):
    """The workspace has no such key."""

    status = 404
    code = "key_not_found"


class OwnKey(KeyedView):
    """The key that asks: its limits, and what is left of them; for every key, whatever its scopes. It is not counted."""

    scope = "any"

    def get(self, request: Request) -> HttpResponse:
        key = Key.objects.get(pk=self.caller.key_id)
        return json_answer({**_shown(key), **left_of(self.caller, timezone.now())})


class Keys(KeyedView):
    """The workspace's keys."""

    scope = "keys"

    def get(self, request: Request) -> HttpResponse:
        keys = Key.objects.filter(workspace_id=self.caller.workspace_id).exclude(kind=KeyKind.EPHEMERAL)
        listed = list(keys.order_by("-created_at")[:MOST_LISTED])
        caps = standings([key.pk for key in listed], timezone.now())
        return json_answer({"object": "list", "data": [_shown(key, caps[key.pk]) for key in listed]})

    def post(self, request: Request) -> HttpResponse:
        """A new key; its secret is shown once."""
        given = _given(self.body(request))
        key, secret = key_limits.make(Workspace.objects.get(pk=self.caller.workspace_id), given)
        return json_answer({**_shown(key), "secret": secret}, status=201)


class OneKey(KeyedView):
    """A key and its limits."""

    scope = "keys"

    def get(self, request: Request, key_id: str) -> HttpResponse:
        return json_answer(_shown(self.key(key_id)))

    def patch(self, request: Request, key_id: str) -> HttpResponse:
        """Changes its name, limits and caps."""
        given = _given(self.body(request))
        return json_answer(_shown(key_limits.alter(self.key(key_id), given)))

    def delete(self, request: Request, key_id: str) -> HttpResponse:
        """Ends it, within a second everywhere."""
        revoke(self.key(key_id))
        return json_answer(_shown(self.key(key_id)))

    def key(self, key_id: str) -> Key:
        """The workspace's own. Raises KeyMissing."""
        found = Key.objects.filter(workspace_id=self.caller.workspace_id, pk=key_id).first()
        if found is None:
            raise KeyMissing("There is no such key in this workspace.")
        return found


class RotateKey(OneKey):
    """A new secret; the old one opens for `overlap_seconds` more."""

    http_method_names = ["post", "options"]

    def post(self, request: Request, key_id: str) -> HttpResponse:
        given = self.body(request)
        overlap = given.get("overlap_seconds", 0) if isinstance(given, dict) else None
        if not isinstance(overlap, (int, float)) or isinstance(overlap, bool):
            raise LimitsInvalid("overlap_seconds is a number of seconds.", param="/overlap_seconds")
        key = self.key(key_id)
        secret = rotate(key, timedelta(seconds=overlap))
        return json_answer({**_shown(key), "secret": secret})


class Tokens(KeyedView):
    """A token that a web page may hold: for one model, of one `origin`, for minutes, with a `max_cost`."""

    scope = "keys"

    def post(self, request: Request) -> HttpResponse:
        given = self.body(request)
        if not isinstance(given, dict) or not isinstance(given.get("model"), str):
            raise LimitsInvalid("Name the model that the token is for.", param="/model")
        seconds = given.get("expires_in", 600)
        if not isinstance(seconds, int) or seconds < 1:
            raise LimitsInvalid("expires_in is a number of seconds, 3600 at most.", param="/expires_in")
        slug = resolve(given["model"], self.caller.workspace_id).slug
        key, secret = issue_token(
            Workspace.objects.get(pk=self.caller.workspace_id),
            slug,
            timezone.now() + timedelta(seconds=seconds),
            money.parse(given.get("max_cost", "0.10")),
            str(given.get("origin", ""))[:200],
        )
        return json_answer({**_shown(key), "token": secret}, status=201)


def _given(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise LimitsInvalid("The body must be a JSON object.", param="")
    unknown = [name for name in body if name not in key_limits.FIELDS]
    if unknown:
        raise LimitsInvalid(f"Remove the unknown field {unknown[0][:60]!r}.", param=f"/{unknown[0][:60]}")
    return body


def _shown(key: Key, caps: list[Standing] | None = None) -> dict[str, Any]:
    standing = standings([key.pk], timezone.now())[key.pk] if caps is None else caps
    return {
        "id": key.pk,
        "object": "key",
        "name": key.name,
        "hint": key.hint,
        "kind": key.kind,
        "scopes": key.scopes,
        "models": key.allowed_models,
        "networks": key.networks,
        "rpm": key.rpm,
        "tpm": key.tpm,
        "concurrency": key.concurrency,
        "caps": {
            cap.period: {"limit": money.decimal(cap.limit_nanos), "used_or_lent": money.decimal(cap.used_nanos)}
            for cap in standing
        },
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }

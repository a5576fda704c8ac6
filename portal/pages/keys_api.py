"""/v1/keys: keys managed by programs. /v1/key: what the key that asks may do and has left. /v1/tokens: for browsers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from billing import money
from billing.gate.caps import drop_cap, set_cap
from billing.gate.models import Cap, Period
from billing.gate.tokens import issue_token
from marketplace.catalog.resolve import resolve
from portal.accounts.keys.issuing import Limits, change, issue, revoke, rotate
from portal.accounts.keys.models import KeyKind, default_scopes
from portal.accounts.keys.scopes import LimitsInvalid
from portal.accounts.models import Key, Workspace
from portal.accounts.wire.view import KeyedView, json_answer
from portal.kit.errors import Problem
from portal.pages.key_left import left_of

_NUMBERS = ("rpm", "tpm", "concurrency")
_LISTS = ("scopes", "models", "networks")
_FIELDS = {"name", "test", "expires_at", "caps", *_NUMBERS, *_LISTS}
MOST_LISTED = 1_000


class KeyMissing(Problem):
    """The workspace has no such key."""

    status = 404
    code = "key_not_found"


class OwnKey(KeyedView):
    """GET /v1/key: for every key, whatever its scopes. It is not counted."""

    scope = "any"

    def get(self, request: Request) -> HttpResponse:
        key = Key.objects.get(pk=self.caller.key_id)
        return json_answer({**_shown(key), **left_of(self.caller, timezone.now())})


class Keys(KeyedView):
    """GET and POST /v1/keys"""

    scope = "keys"

    def get(self, request: Request) -> HttpResponse:
        keys = Key.objects.filter(workspace_id=self.caller.workspace_id).exclude(kind=KeyKind.EPHEMERAL)
        listed = keys.prefetch_related("caps").order_by("-created_at")[:MOST_LISTED]
        return json_answer({"object": "list", "data": [_shown(key) for key in listed]})

    def post(self, request: Request) -> HttpResponse:
        given = _given(self.body(request))
        kind = KeyKind.TEST if given.get("test") is True else KeyKind.LIVE
        with transaction.atomic():
            workspace = Workspace.objects.get(pk=self.caller.workspace_id)
            key, secret = issue(workspace, str(given.get("name", "")), None, _limits(given), kind)
            _cap(key, given)
        return json_answer({**_shown(key), "secret": secret}, status=201)


class OneKey(KeyedView):
    """GET, PATCH and DELETE /v1/keys/{id}"""

    scope = "keys"

    def get(self, request: Request, key_id: str) -> HttpResponse:
        return json_answer(_shown(self.key(key_id)))

    def patch(self, request: Request, key_id: str) -> HttpResponse:
        given = _given(self.body(request))
        key = self.key(key_id)
        with transaction.atomic():
            change(key, str(given.get("name", key.name)), _limits(given, key))
            _cap(key, given)
        return json_answer(_shown(self.key(key_id)))

    def delete(self, request: Request, key_id: str) -> HttpResponse:
        revoke(self.key(key_id))
        return json_answer(_shown(self.key(key_id)))

    def key(self, key_id: str) -> Key:
        """The workspace's own. Raises KeyMissing."""
        found = Key.objects.filter(workspace_id=self.caller.workspace_id, pk=key_id).first()
        if found is None:
            raise KeyMissing("There is no such key in this workspace.")
        return found


class RotateKey(OneKey):
    """POST /v1/keys/{id}/rotate {"overlap_seconds"} → the new secret; the old one opens for so long."""

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
    """POST /v1/tokens {"model", "max_cost", "expires_in", "origin"} → a token that a web page may hold."""

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
    unknown = [name for name in body if name not in _FIELDS]
    if unknown:
        raise LimitsInvalid(f"Remove the unknown field {unknown[0][:60]!r}.", param=f"/{unknown[0][:60]}")
    return body


def _limits(given: Mapping[str, Any], key: Key | None = None) -> Limits:
    """What the body says, and what the key has where it says nothing."""
    had: dict[str, Any] = {"scopes": default_scopes(), "models": [], "networks": [], "tpm": 0, "concurrency": 0}
    expires_at: datetime | None = None
    if key is not None:
        had = {name: getattr(key, "allowed_models" if name == "models" else name) for name in (*_NUMBERS, *_LISTS)}
        expires_at = key.expires_at
    for name in _NUMBERS:
        value = given.get(name, had.get(name))
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31):
            raise LimitsInvalid(f"{name} is a whole number; 0 does not limit.", param=f"/{name}")
        had[name] = value
    for name in _LISTS:
        value = given.get(name, had[name])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise LimitsInvalid(f"{name} is a list of texts.", param=f"/{name}")
        had[name] = value
    if "expires_at" in given:
        expires_at = parse_datetime(str(given["expires_at"])) if given["expires_at"] is not None else None
        if given["expires_at"] is not None and (expires_at is None or expires_at.tzinfo is None):
            raise LimitsInvalid("expires_at is a time with its zone, like 2027-01-31T12:00:00Z.", param="/expires_at")
    return Limits(expires_at=expires_at, origin=key.origin if key else "", **had)


def _cap(key: Key, given: Mapping[str, Any]) -> None:
    """Sets the caps that the body names: {"day": "0.50", "total": null}."""
    caps = given.get("caps", {})
    if not isinstance(caps, dict) or any(period not in Period.values for period in caps):
        raise LimitsInvalid(f"caps is an object with some of {', '.join(Period.values)}.", param="/caps")
    for period, amount in caps.items():
        if amount is None:
            drop_cap(key, period)
        else:
            set_cap(key, money.parse(amount), period)


def _shown(key: Key) -> dict[str, Any]:
    caps: dict[str, Any] = {}
    for cap in Cap.objects.filter(key=key):
        caps[cap.period] = {"limit": money.decimal(cap.limit_nanos), "used_or_lent": money.decimal(cap.used_nanos)}
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
        "caps": caps,
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }

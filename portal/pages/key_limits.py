"""Making and changing a key with all that limits it: the one way, for the page /keys and for /v1/keys.

`given` is the body of /v1/keys: name, test, scopes, models, networks, rpm, tpm, concurrency, expires_at (a time with its
zone, or None) and caps ({"day": "0.50", "total": None}). Fields that are not there stay as they are. Raises
KeyNameInvalid, LimitsInvalid and MoneyInvalid with the field in `param`, and then nothing has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from billing.gate.caps import drop_cap, set_cap
from billing.gate.models import Period
from billing.prices import notation
from portal.accounts.keys.issuing import Limits, change, issue
from portal.accounts.keys.models import KeyKind, default_scopes
from portal.accounts.keys.scopes import LimitsInvalid
from portal.accounts.models import Key, User, Workspace

NUMBERS = ("rpm", "tpm", "concurrency")
LISTS = ("scopes", "models", "networks")
FIELDS = {"name", "test", "expires_at", "caps", *NUMBERS, *LISTS}
LARGEST = 2**31 - 1


def make(workspace: Workspace, given: Mapping[str, Any], created_by: User | None = None) -> tuple[Key, str]:
    """A new key and its secret, which nobody can show again."""
    kind = KeyKind.TEST if given.get("test") is True else KeyKind.LIVE
    with transaction.atomic():
        key, secret = issue(workspace, str(given.get("name", "")), created_by, _limits(given), kind)
        _cap(key, given)
    return key, secret


def alter(key: Key, given: Mapping[str, Any]) -> Key:
    """The key, changed. Locks its row: a rotation or revocation at the same time is not undone."""
    with transaction.atomic():
        key = Key.objects.select_for_update().get(pk=key.pk)
        if key.revoked_at is not None:
            raise LimitsInvalid(_("This key is revoked: make a new one."))
        change(key, str(given.get("name", key.name)), _limits(given, key))
        _cap(key, given)
    return key


def amount(value: Any, period: str) -> int:
    """A cap's nano-dollars. Raises MoneyInvalid."""
    return notation.amount(value, f"/caps/{period}")


def _limits(given: Mapping[str, Any], key: Key | None = None) -> Limits:
    """What is given, and what the key has where nothing is."""
    had: dict[str, Any] = {"scopes": default_scopes(), "models": [], "networks": []}
    expires_at: datetime | None = None
    if key is not None:
        had = {name: getattr(key, "allowed_models" if name == "models" else name) for name in (*NUMBERS, *LISTS)}
        expires_at = key.expires_at
    for name in NUMBERS:
        value = given.get(name)
        if value is None:  # as it was, or as new keys are
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
            raise LimitsInvalid(_("%(field)s is a whole number; 0 does not limit.") % {"field": name}, param=f"/{name}")
        had[name] = value
    for name in LISTS:
        value = given.get(name, had[name])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise LimitsInvalid(_("%(field)s is a list of texts.") % {"field": name}, param=f"/{name}")
        had[name] = value
    if "expires_at" in given:
        expires_at = _time(given["expires_at"])
    return Limits(expires_at=expires_at, origin=key.origin if key else "", **had)


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        found = parse_datetime(str(value))
    except ValueError:  # well formed, but no day of the calendar
        found = None
    if found is None or found.tzinfo is None:
        raise LimitsInvalid(_("expires_at is a time with its zone, like 2027-01-31T12:00:00Z."), param="/expires_at")
    return found


def _cap(key: Key, given: Mapping[str, Any]) -> None:
    """Sets the caps that are named; None ends one."""
    caps = given.get("caps", {})
    if not isinstance(caps, dict) or any(period not in Period.values for period in caps):
        raise LimitsInvalid(
            _("caps is an object with some of %(periods)s.") % {"periods": ", ".join(Period.values)}, param="/caps"
        )
    for period, value in caps.items():
        if value is None:
            drop_cap(key, period)
        else:
            set_cap(key, amount(value, period), period)

"""What a key may do, where from, with which models. One place says no."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.conf import settings

from portal.kit.errors import Problem

SCOPES = {
    "inference": "call models",
    "usage": "read what was used",
    "keys": "make, change and revoke keys",
}


class ScopeMissing(Problem):
    """The key is good, but not for this."""

    status = 403
    code = "scope_missing"


class NetworkRefused(Problem):
    """The key may not be used from this address or page."""

    status = 403
    code = "network_refused"


class ModelRefused(Problem):
    """The key may not call this model."""

    status = 403
    code = "model_not_allowed"


class LimitsInvalid(Problem):
    """Scopes, models or networks that cannot be."""

    status = 422
    code = "key_invalid"


def require_scope(scopes: frozenset[str], scope: str) -> None:
    """Raises ScopeMissing."""
    if scope not in scopes:
        raise ScopeMissing(f"This key may not {SCOPES[scope]}: use one with the scope {scope}.")


def require_network(networks: tuple[str, ...], origin: str, meta: dict[str, Any]) -> None:
    """Raises NetworkRefused."""
    if networks:
        try:
            address = ipaddress.ip_address(client_address(meta))
        except ValueError:
            address = None
        if address is None or not any(address in _network(network) for network in networks):
            raise NetworkRefused("This key may not be used from this network address.")
    if origin and meta.get("HTTP_ORIGIN", origin) != origin:
        raise NetworkRefused(f"This token is good for pages of {origin} only.")


def require_model(models: tuple[str, ...], slug: str) -> None:
    """Raises ModelRefused unless `slug` (publisher/name) is among the models, or there are none."""
    if models and slug not in models and f"{slug.partition('/')[0]}/*" not in models:
        raise ModelRefused(f"This key may call {', '.join(models[:5])} only.", param="/model")


def client_address(meta: dict[str, Any]) -> str:
    """Who is at the other end: behind settings.TRUSTED_PROXIES proxies, whom the outermost of them saw."""
    passed = [part.strip() for part in str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",") if part.strip()]
    hops = settings.TRUSTED_PROXIES
    if hops and len(passed) >= hops:
        return passed[-hops]
    return str(meta.get("REMOTE_ADDR", "")).partition("%")[0]


def checked(scopes: Iterable[str], models: Iterable[str], networks: Iterable[str]) -> tuple[list[str], ...]:
    """The three lists, clean. Raises LimitsInvalid."""
    named = list(dict.fromkeys(scopes))
    unknown = [scope for scope in named if scope not in SCOPES]
    if unknown or not named:
        raise LimitsInvalid(f"scopes are some of {', '.join(SCOPES)}.", param="/scopes")
    slugs = list(dict.fromkeys(models))
    if any(slug.count("/") != 1 or len(slug) > 120 for slug in slugs):
        raise LimitsInvalid("models are like publisher/name or publisher/*.", param="/models")
    try:
        ranges = [str(ipaddress.ip_network(network, strict=False)) for network in networks]
    except ValueError as error:
        raise LimitsInvalid("networks are like 192.0.2.0/24 or 2001:db8::/32.", param="/networks") from error
    return named, slugs, ranges


@lru_cache(maxsize=4096)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)

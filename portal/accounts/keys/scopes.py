"""What a key may do, where from, with which models. One place says no."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from portal.kit.errors import Problem

SCOPES = {
    "inference": "call models",
    "usage": "read what was used",
    "training": "train models",
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
        raise LimitsInvalid(
            _("Choose at least one scope, of %(scopes)s.") % {"scopes": ", ".join(SCOPES)}, param="/scopes"
        )
    return named, checked_models(models), checked_networks(networks)


def checked_models(models: Iterable[str]) -> list[str]:
    """Models that a key may call, each once. Raises LimitsInvalid."""
    slugs = list(dict.fromkeys(models))
    if any(slug.count("/") != 1 or not all(slug.split("/")) or len(slug) > 120 for slug in slugs):
        raise LimitsInvalid(
            _("Write models like publisher/name, or publisher/* for all of a publisher."), param="/models"
        )
    return slugs


def checked_networks(networks: Iterable[str]) -> list[str]:
    """Networks that a key opens from, as their addresses. Raises LimitsInvalid."""
    try:
        return [str(ipaddress.ip_network(network, strict=False)) for network in networks]
    except ValueError as error:
        raise LimitsInvalid(_("Write networks like 192.0.2.0/24 or 2001:db8::/32."), param="/networks") from error


@lru_cache(maxsize=4096)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)

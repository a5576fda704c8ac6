"""Requests to addresses that users give: never to a private, loopback or link-local one, however it is named.

The name is resolved once, and the connection goes to the address that was checked, so that a name cannot mean another
machine a moment later (DNS rebinding). Redirects are not followed.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3

MOST_BYTES = 4_096  # of an answer that are read


class AddressRefused(Exception):
    """The address may not be called; its text says why."""


class Unreachable(Exception):
    """Nobody answered."""


@dataclass(frozen=True)
class Answer:
    """What came back. `retry_after_s` where the other end named seconds."""

    status: int
    text: str
    retry_after_s: float | None


def check(url: str, allowed: Collection[str] = ()) -> tuple[str, str, int]:
    """Scheme, IP address and port to connect to. `allowed`: hosts that may be private. Raises AddressRefused."""
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise AddressRefused("the port is not a number") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise AddressRefused("it must be http:// or https:// with a host and no user name")
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefused("its host cannot be found") from error
    addresses = [str(entry[4][0]) for entry in found]
    if parts.hostname not in allowed and not all(map(_is_public, addresses)):
        raise AddressRefused("its host is in a private network")
    return parts.scheme, addresses[0], port


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float, allowed: Collection[str] = ()) -> Answer:
    """Sends the body. Raises AddressRefused and Unreachable."""
    scheme, address, port = check(url, allowed)
    parts = urlsplit(url)
    timeout = urllib3.Timeout(total=timeout_s)
    pool: urllib3.HTTPConnectionPool
    if scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=timeout, server_hostname=parts.hostname, assert_hostname=parts.hostname
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=timeout)
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with pool:
            response = pool.urlopen(
                "POST", path, body=body, headers={**headers, "Host": str(host)}, redirect=False, retries=False,
                preload_content=False, assert_same_host=False,
            )  # fmt: skip
            text = response.read(MOST_BYTES, decode_content=False).decode("utf-8", "replace")
            after = response.headers.get("retry-after", "")
            response.close()
            return Answer(response.status, text, float(after) if after.isdecimal() else None)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable(type(error).__name__) from error


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        found = mapped
    return found.is_global and not found.is_multicast

"""Secrets that must be read again, encrypted at rest: Fernet (https://github.com/fernet/spec) under a derived key."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken


def seal(secret: str, key: str) -> str:
    """The secret, encrypted. `key`: any text; as strong as it is long and random."""
    return seal_bytes(secret.encode(), key).decode()


def unseal(sealed: str, key: str) -> str:
    """The secret. Raises ValueError if it was sealed with another key, or changed."""
    return unseal_bytes(sealed.encode(), key).decode()


def seal_bytes(content: bytes, key: str) -> bytes:
    """The content, encrypted: a third longer. An answer of 1 kB takes some 20 µs, one of 1 MB some 10 ms."""
    return _fernet(key).encrypt(content)


def unseal_bytes(sealed: bytes, key: str) -> bytes:
    """The content. Raises ValueError if it was sealed with another key, or changed."""
    try:
        return _fernet(key).decrypt(sealed)
    except InvalidToken as error:
        raise ValueError("sealed with another key") from error


@lru_cache(maxsize=4)
def _fernet(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"mercato.seals" + key.encode()).digest()))

"""Secrets that must be read again, encrypted at rest: Fernet (https://github.com/fernet/spec) under a derived key."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken


def seal(secret: str, key: str) -> str:
    """The secret, encrypted. `key`: any text; as strong as it is long and random."""
    return _fernet(key).encrypt(secret.encode()).decode()


def unseal(sealed: str, key: str) -> str:
    """The secret. Raises ValueError if it was sealed with another key, or changed."""
    try:
        return _fernet(key).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise ValueError("sealed with another key") from error


def _fernet(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"mercato.seals" + key.encode()).digest()))

"""What the environment says, with a default for each word; a wrong value stops the start and names the variable."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()


def secret(name: str, default: str = "") -> str:
    """The value of NAME, or the content of the file that NAME_FILE points to."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE={path} cannot be read: {error}") from error
    return os.environ.get(name, default)


def kept_secret(name: str, folder: Path) -> str:
    """The secret NAME from the environment; without one, a random one made once and kept in `folder`."""
    given = secret(name)
    if given:
        return given
    path = folder / name.lower()
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass
    # Another process may have won the race and still be writing: an empty read is never a secret.
    kept = path.read_text().strip()
    if not kept:
        raise ImproperlyConfigured(f"{path} is empty: delete it, or set {name}")
    return kept


def number(name: str, default: int) -> int:
    """The whole number in NAME."""
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={text} is not a whole number") from error


def share(name: str, default: float) -> float:
    """The number from 0 to 1 in NAME."""
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise ImproperlyConfigured(f"{name}={text} is not a number from 0 to 1")
    return value


def switch(name: str, default: bool) -> bool:
    """The truth of NAME: one of true, false, 1, 0, yes, no, on, off."""
    text = os.environ.get(name, "").lower()
    if not text:
        return default
    if text in {"true", "1", "yes", "on"}:
        return True
    if text in {"false", "0", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={text} is neither true nor false")

"""Mail that was not sent but kept in the data folder, for installations without SMTP."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

MOST = 100


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it would have been sent."""

    to: str
    subject: str
    sent_at: datetime | None
    text: str


def mails(folder: Path) -> list[Mail]:
    """The latest mails, the newest first."""
    files = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True)[:MOST]
    found = []
    for path in files:
        # Django's file backend puts a ruler after each mail of a connection.
        for raw in reversed(path.read_bytes().split(b"\n" + b"-" * 79 + b"\n")):
            if raw.strip():
                found.append(_read(raw.lstrip(b"\n")))
    return found[:MOST]


def _read(raw: bytes) -> Mail:
    message = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    date = message["Date"]
    return Mail(
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        sent_at=parsedate_to_datetime(str(date)) if date else None,
        text=str(body.get_content()) if body else "",
    )

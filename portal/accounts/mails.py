"""Mail that must arrive: a row first, in the transaction that has the reason for it, then sent by a job.

A row's key is what it is about and to whom, so whatever runs twice posts it once. It is sent at least once: a process that
dies between sending and noting it sends again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F, Q
from django.template.loader import render_to_string
from django.utils import timezone, translation

from portal.accounts.models import Mail, Role, User

log = logging.getLogger(__name__)
AGAIN_AFTER = timedelta(minutes=5)
MOST_ATTEMPTS = 12


def post(key: str, workspace_id: str, template: str, context: Mapping[str, Any] | None = None) -> int:
    """Mail to the workspace's owners and administrators, each in the own language; how many are new.

    `template` is a text under templates/mail/ whose first line is the subject; `site` in it is the site's address.
    """
    people = User.objects.filter(
        is_active=True, memberships__workspace_id=workspace_id, memberships__role__in=[Role.OWNER, Role.ADMIN]
    )
    return _post(key, people.distinct(), template, context or {})


def post_to_operators(key: str, template: str, context: Mapping[str, Any] | None = None) -> int:
    """Mail to everybody who runs this installation; how many are new."""
    return _post(key, User.objects.filter(is_active=True, is_staff=True), template, context or {})


def take_back(key: str, after: str, template: str, context: Mapping[str, Any] | None = None) -> int:
    """Mail under the key `after` to everybody whom `key` was mailed; what is not on its way is not sent. How many are new.

    Called in the transaction that takes back what `key` told.
    """
    told = Mail.objects.filter(key__startswith=f"{key}:")
    told.filter(sent_at=None, attempts=0).delete()
    readers = [name.removeprefix(f"{key}:") for name in told.values_list("key", flat=True)]
    return _post(after, User.objects.filter(is_active=True, pk__in=readers), template, context or {})


def _post(key: str, people: Iterable[User], template: str, context: Mapping[str, Any]) -> int:
    made = 0
    for person in people:
        name = f"{key}:{person.pk}"
        if Mail.objects.filter(key=name).exists():
            continue
        with translation.override(person.language or settings.LANGUAGE_CODE):
            text = render_to_string(f"mail/{template}", {"site": settings.SITE_URL, **context})
        subject, _, body = text.strip().partition("\n")
        _mail, new = Mail.objects.get_or_create(
            key=name, defaults={"to": person.email, "subject": subject.strip(), "body": body.strip() + "\n"}
        )
        made += new
    return made


def send_due(now: datetime) -> int:
    """Sends what waits; how many were sent. Each is claimed by a conditional update, so that two senders send it once."""
    sent = 0
    due = Q(sent_at=None, next_attempt_at__lte=now, attempts__lt=MOST_ATTEMPTS)
    for mail in Mail.objects.filter(due).order_by("pk")[:200]:
        mine = Mail.objects.filter(pk=mail.pk, sent_at=None, attempts=mail.attempts)
        if not mine.update(attempts=F("attempts") + 1, next_attempt_at=now + AGAIN_AFTER * 2 ** min(mail.attempts, 6)):
            continue
        try:
            EmailMessage(mail.subject, mail.body, settings.DEFAULT_FROM_EMAIL, [mail.to]).send()
        except OSError as error:  # smtplib's errors are OSErrors
            log.error("mail %s was not sent: %s", mail.key, type(error).__name__)
            continue
        Mail.objects.filter(pk=mail.pk).update(sent_at=timezone.now())
        sent += 1
    return sent

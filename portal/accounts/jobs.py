"""What is done later for people. Each job may run twice, late, or beside itself."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from portal.accounts import mails


@shared_task
def send_mails() -> None:
    """Mail that waits: sent."""
    mails.send_due(timezone.now())

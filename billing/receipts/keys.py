"""Making, replacing and publishing the keys that receipts are signed with."""

from __future__ import annotations

import logging
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing.receipts.models import ReceiptKey
from portal.kit import seals

log = logging.getLogger(__name__)


def current() -> tuple[str, Ed25519PrivateKey]:
    """The id and the private half of the key that signs now; made when first asked.

    Two processes that ask first at once may make two keys: both are published, so both are good.
    """
    key = ReceiptKey.objects.filter(retired_at=None).order_by("-created_at").first() or rotate()
    try:
        private = seals.unseal(key.sealed, settings.SECRET_KEY)
    except ValueError:
        log.warning("the receipt key %s was sealed with another SECRET_KEY: a new one takes its place", key.pk)
        key = rotate()
        private = seals.unseal(key.sealed, settings.SECRET_KEY)
    return key.pk, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private))


def rotate() -> ReceiptKey:
    """A new key signs from now on. What the ones before have signed stays good."""
    private = Ed25519PrivateKey.generate()
    with transaction.atomic():
        ReceiptKey.objects.filter(retired_at=None).update(retired_at=timezone.now())
        return ReceiptKey.objects.create(
            public=private.public_key().public_bytes_raw().hex(),
            sealed=seals.seal(private.private_bytes_raw().hex(), settings.SECRET_KEY),
        )


def published() -> dict[str, Any]:
    """What /.well-known/mercato-receipt-key.json says: every key's public half, the newest first."""
    if not ReceiptKey.objects.filter(retired_at=None).exists():
        rotate()
    return {
        "keys": [
            {
                "id": key.pk,
                "algorithm": "Ed25519",
                "public_key": key.public,
                "created_at": key.created_at.isoformat(),
                "retired_at": key.retired_at.isoformat() if key.retired_at else None,
            }
            for key in ReceiptKey.objects.order_by("-created_at", "-pk")
        ]
    }

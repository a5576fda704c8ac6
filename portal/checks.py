"""Combinations of settings that cannot work or are unsafe, as Django checks."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

LEAST_USAGE_DAYS = 70


@register()
def payments(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Stripe's settings fit together."""
    found: list[CheckMessage] = []
    if not settings.STRIPE_WEBHOOK_SECRET:
        found.append(
            Error("STRIPE_WEBHOOK_SECRET is empty: no webhook can be trusted.", hint="whsec_…", id="mercato.E001")
        )
    if settings.STRIPE_API_KEY.startswith("sk_live_") and settings.STRIPE_API_BASE:
        found.append(
            Error(
                "A live Stripe key would be sent to STRIPE_API_BASE.",
                hint="Unset STRIPE_API_BASE, or use a key that begins with sk_test_.",
                id="mercato.E002",
            )
        )
    return found


@register()
def usage(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Usage stays as long as something that runs asks the database for it."""
    if not settings.USAGE_KEPT_DAYS or settings.USAGE_KEPT_DAYS >= LEAST_USAGE_DAYS:
        return []
    return [
        Error(
            f"USAGE_KEPT_DAYS is {settings.USAGE_KEPT_DAYS}: reports to Stripe go back 35 days, invoices a month.",
            hint=f"{LEAST_USAGE_DAYS} or more, or 0 to keep usage for ever.",
            id="mercato.E003",
        )
    ]


@register()
def archive(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """What a bucket for old usage needs is installed."""
    missing = [name for name in ("storages", "boto3") if find_spec(name) is None]
    if not missing or not settings.ARCHIVE_S3_BUCKET:
        return []
    return [
        Error(
            f"ARCHIVE_S3_BUCKET needs {' and '.join(missing)}, which is not installed.",
            hint="pip install 'django-storages[s3]'",
            id="mercato.E004",
        )
    ]


@register()
def meaning(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The encoder of the catalog is named as models are."""
    if not settings.SEMANTIC_MODEL or len(list(filter(None, settings.SEMANTIC_MODEL.split("/")))) == 2:
        return []
    return [
        Error(
            f"SEMANTIC_MODEL={settings.SEMANTIC_MODEL} names no model of the catalog.",
            hint="publisher/name of a model of the task embeddings; unset, the catalog is searched by words.",
            id="mercato.E005",
        )
    ]


@register(deploy=True)
def deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """What a public installation needs."""
    found: list[CheckMessage] = []
    if not settings.SITE_URL.startswith("https://"):
        found.append(
            Warning(
                "SITE_URL is not https://…: cookies and keys travel in the clear.",
                hint="Set SITE_URL to the address behind your TLS proxy.",
                id="mercato.W001",
            )
        )
    if not settings.EMAIL_URL:
        found.append(
            Warning(
                "EMAIL_URL is not set: nobody gets the mail that confirms an address.",
                hint="smtp+tls://user:password@host:587",
                id="mercato.W002",
            )
        )
    return found

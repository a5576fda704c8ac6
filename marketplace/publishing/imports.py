"""The life of an import: queued → being brought in → succeeded or failed. The first that ends it wins."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from billing.prices import notation, scrutiny
from billing.prices.quote import Scheme
from marketplace.errors import SourceInvalid
from marketplace.publishing import importing
from marketplace.publishing.models import Import, ImportState
from marketplace.publishing.strangers import ARCHIVES
from marketplace.uploads import parts
from portal.accounts.models import Workspace
from portal.accounts.wire.text import NUL
from portal.kit.errors import Problem

LEASE = timedelta(minutes=10)  # silent for so long, a worker is lost: one that only was slow may still end it
MOST_ATTEMPTS = 3
UPLOADS = (".keras", *ARCHIVES)  # endings
_TO_DO = (ImportState.QUEUED, ImportState.RUNNING)


def check(slug: str, task: str, price: str) -> None:
    """What can be known before anything is read. Raises SourceInvalid or MoneyInvalid."""
    publisher, _, name = slug.partition("/")
    if not publisher or not name:
        raise SourceInvalid(f"{slug[:130]!r} is not of the form PUBLISHER/NAME.", param="slug")
    try:
        Workspace(slug=publisher, name=publisher).clean_fields()
    except ValidationError as error:
        raise SourceInvalid(
            f"The publisher {publisher!r} does not do: {' '.join(error.messages)}", param="slug"
        ) from error
    importing.check_name(name, task)
    scheme = scheme_of(price)
    if scheme is not None:
        scrutiny.check(scheme)


def check_upload(source: str, upload: UploadedFile[Any] | None, engine: str) -> None:
    """There is a source or an uploaded file, which is a model's and not too large. Raises SourceInvalid."""
    if upload is None:
        if not source:
            raise SourceInvalid("Name a source, or choose a file.", param="source")
        return
    if source:
        raise SourceInvalid("Name a source or choose a file, not both.", param="source")
    if engine not in importing.HERE:
        raise SourceInvalid("A file runs here: choose TensorFlow or a process of its own.", param="engine")
    if _ending(upload) is None:
        raise SourceInvalid(f"The name ends in none of {', '.join(UPLOADS)}.", param="upload")
    if (upload.size or 0) > settings.SUBMISSION_MAX_BYTES:
        raise SourceInvalid(f"The file is larger than {settings.SUBMISSION_MAX_BYTES >> 20} MB.", param="upload")


def keep_upload(asked: Import, upload: UploadedFile[Any]) -> None:
    """Its source is the uploaded file from now on, which goes when the import has ended."""
    place = _folder(asked) / f"model{_ending(upload)}"
    parts.begin(place)
    parts.append(place, upload.size or 0, 0, upload.chunks())
    asked.source = str(place)


def _ending(upload: UploadedFile[Any]) -> str | None:
    return next((one for one in UPLOADS if (upload.name or "").lower().endswith(one)), None)


def _folder(asked: Import) -> Path:
    return Path(settings.MEDIA_ROOT) / "imports" / asked.pk


def scheme_of(lines: str) -> Scheme | None:
    """The price of lines like output_token=0.25; None where there is none. Raises MoneyInvalid."""
    written = [notation.pair(line) for line in lines.splitlines() if line.strip()]
    return notation.scheme(written) if written else None


def claim(now: datetime) -> Import | None:
    """The oldest import to do, now ours; None if there is none."""
    with transaction.atomic():
        todo = Q(state=ImportState.QUEUED) | Q(state=ImportState.RUNNING, leased_until__lt=now)
        asked = Import.objects.select_for_update().filter(todo).order_by("created_at", "pk").first()
        if asked is None:
            return None
        if asked.attempts >= MOST_ATTEMPTS:
            _end(asked, ImportState.FAILED, error="The worker was lost three times.")
            return None
        # Conditional on what was read: two claims at once give one winner.
        won = Import.objects.filter(pk=asked.pk, attempts=asked.attempts).update(
            state=ImportState.RUNNING, leased_until=now + LEASE, attempts=F("attempts") + 1
        )
    return asked if won else None


def work(asked: Import) -> None:
    """Brings the model in; its version, its price and the import's end are one transaction."""
    publisher_slug, _, name = asked.slug.partition("/")
    try:
        scheme = scheme_of(asked.price)
        brought = importing.bring_in(asked.slug, asked.task, asked.engine, asked.source, asked.options)
        with transaction.atomic():
            if not _end(asked, ImportState.SUCCEEDED):
                return  # another worker was faster
            publisher, _new = Workspace.objects.get_or_create(slug=publisher_slug, defaults={"name": publisher_slug})
            version = importing.add_version(publisher, name, brought, scheme, asked.confirmed)
            Import.objects.filter(pk=asked.pk).update(version=version)
    except Problem as error:
        _end(asked, ImportState.FAILED, error.message)
    except Exception as error:  # what a broken artifact makes TensorFlow raise must not stop the queue
        _end(asked, ImportState.FAILED, f"{type(error).__name__}: {error}")
    shutil.rmtree(_folder(asked), ignore_errors=True)


def _end(asked: Import, state: ImportState, error: str = "") -> bool:
    open_still = Import.objects.filter(pk=asked.pk, state__in=_TO_DO)
    told = error.replace(NUL, "�")[:500]
    return bool(open_still.update(state=state, error=told, ended_at=timezone.now(), leased_until=None))

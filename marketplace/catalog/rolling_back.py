"""Taking a version's calls back to the version before it, once, with mail and notice to its publisher."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from billing.notices import telling
from marketplace.catalog import retiring, takedowns
from marketplace.catalog.listings import relist
from marketplace.catalog.models import Model, Rollback, Split, Version
from portal.accounts import mails


@dataclass(frozen=True, slots=True)
class Seen:
    """Why: requests and failures of the version and of the one before it; the least and the most share that these show."""

    asked: int
    failed: int
    least: float
    asked_before: int
    failed_before: int
    most_before: float


def roll_back(version: Version, to: Version, seen: Seen, now: datetime) -> Rollback | None:
    """The version has no more calls of those that name none; they go to `to`. None where that is so already.

    Nothing happens either where `to` answers nobody: it was retired or taken down. Locks the model's row, so of two jobs
    at once one does it. The publisher's mail and notice are written in the same transaction.
    """
    with transaction.atomic():
        model = Model.objects.select_for_update().get(pk=version.model_id)
        shares = Split.objects.filter(model=model)
        live = model.live_version_id == version.pk
        if not live and not shares.filter(version=version).exists():
            return None
        if not answers(model, to, now):
            return None
        shares.filter(version=version).delete()
        if shares.exclude(version=to).count() == 0:
            shares.delete()  # it alone is left: no shares are needed
        if live:
            Model.objects.filter(pk=model.pk).update(live_version=to)
            relist(model.pk)
        made = Rollback.objects.create(
            model=model, version=version, to=to, at=now, asked=seen.asked, failed=seen.failed, least=seen.least,
            asked_before=seen.asked_before, failed_before=seen.failed_before, most_before=seen.most_before,
        )  # fmt: skip
        said = {"back": made, "model": model.slug}
        mails.post(f"rollback:{made.pk}", model.publisher_id, "marketplace/rolled_back.txt", said)
        told = {
            "model": model.slug,
            "version": version.number,
            "to": to.number,
            "requests": seen.asked,
            "failed": seen.failed,
        }
        telling.tell(model.publisher_id, "model.rolled_back", told, f"rollback:{made.pk}")
    return made


def answers(model: Model, version: Version, now: datetime) -> bool:
    """Whether calls of this version are answered: it was neither retired nor taken down."""
    ends = retiring.of(model, version)
    gone = ends is not None and ends.ends_at <= now
    return not gone and not any(one.version_id in (None, version.pk) for one in takedowns.down(model))

"""Judges new versions by their live error rate: one that fails clearly more often than the one before it goes back.

A version is on trial while it has a share of its model's calls, or is live and less than TRIAL old. Failures are those of
replicas and engines, as figures.py counts them; what callers did wrong is none. Of both versions the interval of the true
error rate is taken by Wilson's score (Wilson 1927) with Z = 3 standard deviations (99.7 %); where the new one's lies
wholly above the old one's, and both had ENOUGH requests, it is clearly worse.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Max, Q

from inference.routing import figures
from inference.routing.figures import Summary
from marketplace.catalog import rolling_back
from marketplace.catalog.models import Model, Rollback, Split, Version
from marketplace.catalog.rolling_back import Seen

Z = 3.0
ENOUGH = 20  # requests of each version
TRIAL = timedelta(days=7)  # of a version that went live
RECENT = (timedelta(hours=1), timedelta(days=1))  # what is looked at: the last hour, else the last day
log = logging.getLogger(__name__)


def wilson(failed: int, asked: int, z: float = Z) -> tuple[float, float]:
    """Between which two the true share lies: (p̂ + z²/2n ± z·√(p̂(1−p̂)/n + z²/4n²)) / (1 + z²/n)."""
    if not asked:
        return 0.0, 1.0
    share, square = failed / asked, z * z / asked
    middle, reach = share + square / 2, z * math.sqrt(share * (1 - share) / asked + square / (4 * asked))
    return max((middle - reach) / (1 + square), 0.0), min((middle + reach) / (1 + square), 1.0)


def judge(now: datetime) -> list[Rollback]:
    """Rolls back what is clearly worse; what was rolled back. Twice, or two at once, does each once."""
    done = []
    for model, version, before, beside in _on_trial(now):
        seen = _clearly_worse(model, version, before, beside, now)
        made = rolling_back.roll_back(version, before, seen, now) if seen is not None else None
        if made is not None:
            log.warning("%s was rolled back to version %d", version, before.number)
            done.append(made)
    return done


def _on_trial(now: datetime) -> Iterator[tuple[Model, Version, Version, bool]]:
    """The model, its version on trial, the version before it, and whether both share the calls."""
    asked_lately = figures.asked_since(now - max(RECENT))
    shared = Split.objects.filter(weight__gt=0).values("model")
    new = Q(live_version__created_at__gte=now - TRIAL)
    for model in Model.objects.filter(Q(pk__in=shared) | new).select_related("publisher", "live_version"):
        if model.slug not in asked_lately or model.live_version is None:
            continue
        shares = list(Split.objects.filter(model=model, weight__gt=0).select_related("version"))
        newest = max([split.version for split in shares] or [model.live_version], key=lambda one: one.number)
        older = [split.version for split in shares if split.version_id != newest.pk]
        if model.live_version_id != newest.pk and shares:
            older = [model.live_version]
        if not shares:
            if Rollback.objects.filter(model=model, to=newest).exists():
                continue  # it was live before: calls came back to it
            older = list(model.versions.filter(number__lt=newest.number).order_by("-number")[:10])
            dropped = set(Rollback.objects.filter(model=model).values_list("version_id", flat=True))
            older = [one for one in older if one.pk not in dropped]
        before = max(older, key=lambda one: one.number, default=None)
        if before is not None and before.number < newest.number:
            yield model, newest, before, bool(shares)


def _clearly_worse(model: Model, version: Version, before: Version, beside: bool, now: datetime) -> Seen | None:
    """What the figures show of both, where it is clear; None where it is not."""
    last = Rollback.objects.filter(version=version).aggregate(at=Max("at"))["at"]
    for span in RECENT:
        since = now - span if last is None else max(now - span, last)  # it was put back: what it did before is past
        new = figures.of(model.slug, since, now, version_id=version.pk)
        # Versions that share the calls share the time, so that what befell both tells against neither.
        old = figures.of(model.slug, since if beside else now - figures.FARTHEST, now, version_id=before.pk)
        if new.asked >= ENOUGH and old.asked >= ENOUGH:
            return _compared(new, old)
    return None


def _compared(new: Summary, old: Summary) -> Seen | None:
    least, _ = wilson(new.failed, new.asked)
    _, most = wilson(old.failed, old.asked)
    if least <= most:
        return None
    return Seen(new.asked, new.failed, least, old.asked, old.failed, most)

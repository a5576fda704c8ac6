"""A submission that passed becomes a version in the catalog: of a new model of its publisher, or the next of one they have."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from billing.prices.quote import FREE, Scheme
from marketplace.catalog import resolve, versions
from marketplace.catalog.models import Model, Version
from marketplace.catalog.pricing import set_price
from marketplace.errors import SubmissionInvalid
from marketplace.publishers import rights
from marketplace.publishing import review, submitting
from marketplace.publishing.importing import SHUT_IN
from marketplace.publishing.models import Submission
from marketplace.publishing.models import SubmissionState as State
from marketplace.tasks.task import ModelSpec


@dataclass(frozen=True, slots=True)
class Wish:
    """How it is to be published. `price`: None leaves the model's; `percent`: of the model's calls, which it answers."""

    visibility: str
    price: Scheme | None
    confirmed: bool = False  # an unusual price
    percent: int = 100


class Stale(SubmissionInvalid):
    """The model has another version since the rehearsal compared with its last one."""


def publish(submission: Submission, wish: Wish) -> Version:
    """Its version, live from now on or a canary; once: later calls give the same one.

    Raises SubmissionInvalid (409) for one that did not pass, Stale where it is rehearsed once more first, and what
    rights.check and pricing.set_price raise.
    """
    try:
        version = _published(submission, wish)
    except Stale:
        shutil.rmtree(settings.MODELS_DIR / submission.place, ignore_errors=True)
        review.anew(submission)
        raise
    submitting.clear(submission)
    resolve.forget()
    return version


def _published(submission: Submission, wish: Wish) -> Version:
    with transaction.atomic():
        locked = (
            Submission.objects.select_for_update(of=("self",))
            .select_related("workspace", "version")
            .get(pk=submission.pk)
        )
        if locked.version is not None:
            return locked.version
        if locked.state != State.PASSED:
            raise SubmissionInvalid(_("Only what passed every check can be published."), status=409)
        words: dict[str, Any] = {name: getattr(locked, name) for name in ("title", "summary", "card", "licence")}
        model, made = Model.objects.get_or_create(
            publisher=locked.workspace,
            name=locked.name,
            defaults={"task": locked.task, "visibility": wish.visibility, **words},
        )
        if model.task != locked.task:
            raise SubmissionInvalid(
                _("%(model)s does something else: send it under another name.") % {"model": model.slug}, status=409
            )
        rights.check(locked.workspace, wish.visibility)
        if made or wish.price is not None:
            asked = wish.price or FREE
            set_price(
                model, asked.rates, tiers=asked.tiers, minimum_nanos=asked.minimum_nanos, confirmed=wish.confirmed
            )
        Model.objects.filter(pk=model.pk).update(visibility=wish.visibility, **words)
        before = model.live_version
        version = versions.publish(
            model,
            engine=SHUT_IN,
            source=locked.place,
            spec=ModelSpec.from_json(locked.spec),  # no metrics: examples that its publisher chose rank nobody
            notes=locked.notes,
        )
        if not locked.evidence.filter(check_name="schema", figure=version.semver).exists():
            raise Stale(
                _("Another version was published meanwhile: this one is rehearsed once more, and compared with that."),
                status=409,
            )
        if before is None or wish.percent == 100:
            versions.go_live(model, version)
        else:
            versions.try_on(model, version, before, wish.percent)
        if not review.move(locked, State.PUBLISHED, version=version):
            raise SubmissionInvalid(_("Only what passed every check can be published."), status=409)
    return version

"""Models and versions that will go: announced with a date, told to those who use them, gone on that day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from billing.metering import customers
from marketplace.catalog.models import Model, Retirement, Version
from portal.accounts import mails
from portal.kit.errors import Problem

IN_USE = timedelta(days=30)  # who used the model in this time is told
AGAIN = timedelta(days=7)  # before the end, and once more


class RetirementInvalid(Problem):
    """A day that has passed, a successor that is none, or a version that still answers for its model."""

    status = 422
    code = "retirement_invalid"


def check(model: Model, version: Version | None, ends_at: datetime, now: datetime, successor: Model | None) -> None:
    """Raises RetirementInvalid for what cannot be announced; `param` names the field."""
    if ends_at <= now:
        raise RetirementInvalid(_("Choose a day in the future: its users need time to move."), param="ends_at")
    if successor is not None and successor.pk == model.pk:
        raise RetirementInvalid(_("A model cannot be its own successor."), param="successor")
    if version is not None and version.model_id != model.pk:
        raise RetirementInvalid(_("This version is another model's."), param="version")
    if version is not None and version.pk == model.live_version_id:
        raise RetirementInvalid(
            _("This version is live: publish the next one first, or retire the whole model."), param="version"
        )


def announce(
    model: Model,
    version: Version | None,
    ends_at: datetime,
    now: datetime,
    *,
    reason: str = "",
    successor: Model | None = None,
) -> Retirement:
    """The model, or one version of it, will go then; `tell` mails it. Raises RetirementInvalid."""
    with transaction.atomic():
        locked = Model.objects.select_for_update().get(pk=model.pk)
        check(locked, version, ends_at, now, successor)
        if Retirement.objects.filter(model=locked, version=version).exists():
            raise RetirementInvalid(_("That is announced already."), param="version")
        return Retirement.objects.create(
            model=locked, version=version, announced_at=now, ends_at=ends_at, reason=reason, successor=successor
        )


def withdraw(retirement: Retirement) -> None:
    """It stays, or comes back; who was told that it goes is told that."""
    with transaction.atomic():
        said = {"model": retirement.model.slug, "retirement": retirement}
        for step in ("announced", "soon"):
            mails.take_back(
                _about(retirement, step), f"stays:{retirement.pk}", "marketplace/retirement_withdrawn.txt", said
            )
        retirement.delete()


def tell(now: datetime) -> int:
    """Mails to who used what will go, when it is announced and once more a week before; how many are new."""
    told = 0
    for one in Retirement.objects.filter(ends_at__gt=now).select_related(
        "model__publisher", "version", "successor__publisher"
    ):
        step = "announced" if one.ends_at - now > AGAIN else "soon"
        said = {"model": one.model.slug, "retirement": one}
        for workspace in customers.since(one.model.slug, now - IN_USE):
            with transaction.atomic():
                if not Retirement.objects.select_for_update().filter(pk=one.pk).exists():
                    break  # taken back meanwhile
                told += mails.post(_about(one, step), workspace, "marketplace/retirement.txt", said)
    return told


def of(model: Model, version: Version | None) -> Retirement | None:
    """What is announced of the version, or of its whole model: whichever comes first."""
    which = Q(version=None) | Q(version=version) if version else Q(version=None)
    found = Retirement.objects.filter(which, model=model).select_related("successor__publisher", "version")
    return found.order_by("ends_at").first()


def gone(now: datetime) -> QuerySet[Retirement]:
    """Of whole models whose day has come: they refuse every call."""
    return Retirement.objects.filter(version=None, ends_at__lte=now)


def there(models: QuerySet[Model], now: datetime) -> QuerySet[Model]:
    """Those of the models that are not gone."""
    return models.filter(~Exists(gone(now).filter(model=OuterRef("pk"))))


def announced(models: Iterable[Model]) -> dict[str, Retirement]:
    """Of those of the models that will go or are gone, by themselves or with their live version: what is announced, by model."""
    live = {model.pk: model.live_version_id for model in models}
    found: dict[str, Retirement] = {}
    rows = Retirement.objects.filter(model__in=live).select_related("successor__publisher").order_by("ends_at")
    for row in rows:
        if row.version_id in (None, live[row.model_id]):
            found.setdefault(row.model_id, row)
    return found


def _about(retirement: Retirement, step: str) -> str:
    return f"retirement:{retirement.pk}:{step}"

"""Taking models and versions down, with a reason: calls are refused, the catalog forgets them, their page says why.

Each is a record that stays; lifting one ends it and keeps it too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from billing.metering import customers
from marketplace.catalog.models import Model, TakeDown, Version
from portal.accounts import mails
from portal.accounts.models import User
from portal.kit.errors import Problem

IN_USE = timedelta(days=30)  # who used the model in this time is told


class TakeDownInvalid(Problem):
    """A version of another model, what is down already, or no reason."""

    status = 422
    code = "take_down_invalid"


def check(model: Model, version: Version | None, reason: str) -> None:
    """Raises TakeDownInvalid for what cannot be taken down; `param` names the field."""
    if version is not None and version.model_id != model.pk:
        raise TakeDownInvalid(_("This version is another model's."), param="version")
    if not reason.strip():
        raise TakeDownInvalid(_("Give the reason: everybody who may see the model reads it."), param="reason")
    if TakeDown.objects.filter(model=model, version=version, lifted_at=None).exists():
        raise TakeDownInvalid(_("It is down already."), param="model")


def take_down(
    model: Model, version: Version | None, category: str, reason: str, by: User, now: datetime, note: str = ""
) -> TakeDown:
    """The model, or one version of it, answers nobody from now on, within a second. Its publisher is told by mail; `tell` tells its users.

    `reason` is for everybody, `note` for operators. Raises TakeDownInvalid.
    """
    check(model, version, reason)
    try:
        with transaction.atomic():
            made = TakeDown.objects.create(
                model=model, version=version, category=category, reason=reason.strip(), note=note, taken_by=by, taken_at=now
            )  # fmt: skip
            mails.post(
                f"take-down:{made.pk}:publisher", model.publisher_id, "marketplace/taken_down_own.txt", _said(made)
            )
    except IntegrityError as error:
        raise TakeDownInvalid(_("It is down already."), param="model") from error
    return made


def lift(taken: TakeDown, by: User, why: str, now: datetime) -> None:
    """It answers again; who was told is told that. A second time changes nothing."""
    with transaction.atomic():
        mine = TakeDown.objects.filter(pk=taken.pk, lifted_at=None)
        if not mine.update(lifted_at=now, lifted_by=by, lifted_why=why.strip()):
            return
        taken.refresh_from_db()
        said = _said(taken)
        mails.take_back(f"take-down:{taken.pk}:user", f"lifted:{taken.pk}", "marketplace/take_down_lifted.txt", said)
        mails.post(
            f"lifted:{taken.pk}:publisher", taken.model.publisher_id, "marketplace/take_down_lifted.txt", said
        )  # fmt: skip


def tell(now: datetime) -> int:
    """Mails to who used lately what is down; how many are new. For a job."""
    told = 0
    for one in TakeDown.objects.filter(lifted_at=None, told_at=None).select_related("model__publisher", "version"):
        users = customers.since(one.model.slug, one.taken_at - IN_USE) - {one.model.publisher_id}
        for workspace in sorted(users):
            with transaction.atomic():
                if not TakeDown.objects.select_for_update().filter(pk=one.pk, lifted_at=None).exists():
                    break  # lifted meanwhile
                told += mails.post(
                    f"take-down:{one.pk}:user", workspace, "marketplace/taken_down.txt", _said(one)
                )  # fmt: skip
        TakeDown.objects.filter(pk=one.pk).update(told_at=now)
    return told


def down(model: Model) -> list[TakeDown]:
    """What of the model is down now: itself first, then its versions, the newest first."""
    found = TakeDown.objects.filter(model=model, lifted_at=None).select_related("version")
    return list(found.order_by(F("version__number").desc(nulls_first=True)))


def refusing(model: Model) -> TakeDown | None:
    """Why a call that names no version is refused; None where it is answered."""
    return next((one for one in down(model) if one.version_id in (None, model.live_version_id)), None)


def hiding() -> QuerySet[TakeDown]:
    """Of models, or of their live version: what keeps a model out of lists."""
    return TakeDown.objects.filter(Q(version=None) | Q(version=F("model__live_version")), lifted_at=None)


def there(models: QuerySet[Model]) -> QuerySet[Model]:
    """Those of the models that are not hidden so."""
    return models.filter(~Exists(hiding().filter(model=OuterRef("pk"))))


def _said(taken: TakeDown) -> dict[str, object]:
    return {"taken": taken, "model": taken.model.slug}

"""A workspace's golden sets: made of examples that were read, listed, deleted."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from inference.golden.files import GoldenSetInvalid, Read
from inference.golden.judges.registry import JUDGES, UNJUDGED
from inference.golden.models import OPEN, Example, GoldenSet
from marketplace.tasks import registry
from portal.kit.errors import Problem

MOST_NAME = 120


class GoldenMissing(Problem):
    """The workspace has no such golden set, or the set no such run."""

    status = 404
    code = "golden_set_not_found"


def judged() -> list[str]:
    """Tasks that there are and that are judged."""
    return [name for name in registry.TASKS if name in JUDGES]


def check(name: str, task: str) -> None:
    """Raises GoldenSetInvalid for a name or task that cannot be."""
    if not 0 < len(name.strip()) <= MOST_NAME:
        raise GoldenSetInvalid(_("Give it a name of 1 to %(n)s characters.") % {"n": MOST_NAME}, param="/name")
    if task not in registry.TASKS or task not in JUDGES:
        why = f" {UNJUDGED[task]}" if task in UNJUDGED else ""
        known = ", ".join(judged())
        raise GoldenSetInvalid(_("The task is one of %(known)s.") % {"known": known} + why, param="/task")


def make(set_id: str, workspace_id: str, name: str, task: str, examples: Sequence[Read]) -> GoldenSet:
    """The set of this id with its examples; twice makes one. Raises GoldenSetInvalid: as `check`, or too many (409)."""
    check(name, task)
    known = GoldenSet.objects.filter(pk=set_id, workspace_id=workspace_id).first()
    if known is not None:
        return known
    if GoldenSet.objects.filter(workspace_id=workspace_id).count() >= settings.GOLDEN_SETS_MAX:
        most = settings.GOLDEN_SETS_MAX
        raise GoldenSetInvalid(
            _("This workspace has %(most)s golden sets: delete one first.") % {"most": most}, status=409
        )
    with transaction.atomic():
        slices = list(dict.fromkeys(name for one in examples for name in one.slices))
        made = GoldenSet.objects.create(
            pk=set_id, workspace_id=workspace_id, name=name.strip(), task=task, slices=slices, size=len(examples)
        )
        Example.objects.bulk_create(
            (
                Example(golden_set=made, number=at, input=one.input, expected=one.expected, slices=one.slices)
                for at, one in enumerate(examples, 1)
            ),
            batch_size=100,
        )
    return made


def all_of(workspace_id: str) -> QuerySet[GoldenSet]:
    """The workspace's."""
    return GoldenSet.objects.filter(workspace_id=workspace_id)


def of(workspace_id: str, set_id: str) -> GoldenSet:
    """The workspace's own. Raises GoldenMissing."""
    found = all_of(workspace_id).filter(pk=set_id).first()
    if found is None:
        raise GoldenMissing(_("There is no such golden set."))
    return found


def delete(golden_set: GoldenSet) -> None:
    """Ends the set, its examples, runs and shared links. Raises GoldenSetInvalid (409) while a run is at work."""
    with transaction.atomic():
        GoldenSet.objects.select_for_update().get(pk=golden_set.pk)
        if golden_set.runs.filter(Q(state__in=OPEN)).exists():
            raise GoldenSetInvalid(_("A run is still at work on this golden set: cancel it first."), status=409)
        golden_set.delete()

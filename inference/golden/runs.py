"""Runs of models on a golden set: what they may cost, begun, cancelled, shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import money
from billing.gate import holds
from inference import plan as planning
from inference.call import Call, Wishes
from inference.golden.judges.registry import JUDGES
from inference.golden.models import OPEN, Example, GoldenAnswer, GoldenRun, GoldenSet, new_token
from inference.golden.sets import GoldenMissing
from marketplace.catalog.resolve import resolve
from portal.accounts.keys.issuing import EPHEMERAL_MOST, Limits, issue
from portal.accounts.keys.lookup import Caller, caller
from portal.accounts.keys.models import KeyKind
from portal.accounts.models import Key, User, Workspace
from portal.kit.errors import Problem

MOST_MODELS = 8
MOST_OPEN = 3  # runs of a workspace at once
MOST_RUNS = 100  # of a set that are kept
LOOKED_AT = 100  # examples by which a price is estimated; of more, evenly chosen ones
WHY = {
    "ceiling": gettext_lazy("The next examples could have cost more than was left of the ceiling."),
    "budget": gettext_lazy("The workspace's budget, or that of the key, did not cover the next examples."),
    "key": gettext_lazy("The key that began it is revoked."),
}


class GoldenRunInvalid(Problem):
    """A run that cannot be: its models, its ceiling, its key."""

    status = 422
    code = "golden_run_invalid"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one model: which version answers, what all examples can cost at most, and why some would be refused."""

    model: str  # publisher/name@number
    most_nanos: int
    refused: int  # of those that were looked at
    looked_at: int
    reason: str  # of the first refusal


def call_of(who: Caller, golden_set: GoldenSet, model: str, example: Example, wishes: Wishes, request_id: str) -> Call:
    """The call that asks the model for an example. Raises Problems of the catalog."""
    judge = JUDGES[golden_set.task]
    given = judge.ask(example.input, example.expected, resolve(model, who.workspace_id).spec)
    return Call(who, model, "predictions", given, request_id, wishes=wishes)


def estimate(who: Caller, golden_set: GoldenSet, models: Sequence[str]) -> list[Estimate]:
    """What each model can cost on the set at most. Raises GoldenRunInvalid for models that cannot be compared."""
    pinned = _pinned(who, golden_set, models)
    step = max(golden_set.size / LOOKED_AT, 1.0)
    numbers = {int(at * step) + 1 for at in range(min(golden_set.size, LOOKED_AT))}
    examples = list(golden_set.examples.filter(number__in=numbers).order_by("number"))
    found = []
    for model in pinned:
        most = refused = 0
        reason = ""
        for example in examples:
            try:
                call = call_of(who, golden_set, model, example, Wishes(), "")
                most += planning.plan(call, settings.UPSTREAM_TIMEOUT_S).most_nanos
            except Problem as problem:
                refused, reason = refused + 1, reason or problem.message
        all_ = -(-most * golden_set.size // max(len(examples), 1))
        found.append(Estimate(model, all_, refused, len(examples), reason))
    return found


def begin(
    run_id: str, who: Caller, golden_set: GoldenSet, models: Sequence[str], ceiling_nanos: int | None
) -> GoldenRun:
    """A run that waits for a worker; twice makes one. Without a ceiling it is what the run can cost at most.

    Raises GoldenRunInvalid, and NoBudget (402) where not even the first example could be paid.
    """
    known = GoldenRun.objects.filter(pk=run_id, golden_set=golden_set).first()
    if known is not None:
        return known
    guessed = estimate(who, golden_set, models)
    hopeless = next((one for one in guessed if one.looked_at and one.refused == one.looked_at), None)
    if hopeless is not None:
        told = _("%(model)s refuses every example: %(why)s") % {"model": hopeless.model, "why": hopeless.reason}
        raise GoldenRunInvalid(told, param="/models")
    most = sum(one.most_nanos for one in guessed)
    holds.release(holds.hold(who.workspace_id, who.key_id, min(_one(guessed, golden_set), most)))
    with transaction.atomic():
        GoldenSet.objects.select_for_update().get(pk=golden_set.pk)
        _check_room(golden_set)
        made = GoldenRun.objects.create(
            pk=run_id,
            golden_set=golden_set,
            key_id=who.key_id,
            versions=[one.model for one in guessed],
            ceiling_nanos=most if ceiling_nanos is None else ceiling_nanos,
            most_nanos=most,
        )
        numbers = golden_set.examples.values_list("number", flat=True)
        GoldenAnswer.objects.bulk_create(
            (GoldenAnswer(run=made, number=number, column=at) for number in numbers for at in range(len(guessed))),
            batch_size=500,
        )
    return made


def _one(guessed: Sequence[Estimate], golden_set: GoldenSet) -> int:
    """What an example costs at most of the dearest model, about."""
    return max((one.most_nanos for one in guessed), default=0) // max(golden_set.size, 1)


def check_key(who: Caller) -> None:
    """Raises GoldenRunInvalid for a key that may not keep or run golden sets: one for tests, or for a browser."""
    kind = Key.objects.filter(pk=who.key_id).values_list("kind", flat=True).first()
    if who.test or kind == KeyKind.TEST:
        told = _("A test key gets answers that are made up: use a key mk_… to judge models.")
        raise GoldenRunInvalid(told, status=403, code="key_is_for_tests")
    if kind != KeyKind.LIVE:
        told = _("A browser's token is for calls of one model: use a key mk_… to judge models.")
        raise GoldenRunInvalid(told, status=403, code="key_is_for_browsers")


def caller_of(workspace: Workspace, person: User, golden_set: GoldenSet) -> Caller:
    """Who calls the models of a run that a page begins: a key of the person's, so that a member's own caps bind.

    Its secret is kept nowhere, and it opens nothing.
    """
    name = (_("golden set: %(name)s") % {"name": golden_set.name})[:80]
    limits = Limits(rpm=0, scopes=["inference"], expires_at=timezone.now() + EPHEMERAL_MOST - timedelta(seconds=1))
    return caller(issue(workspace, name, person, limits, KeyKind.EPHEMERAL)[0])


def looker(workspace_id: str) -> Caller:
    """Who asks for prices alone."""
    return Caller(key_id="", workspace_id=workspace_id, rpm=0)


def of(golden_set: GoldenSet, run_id: str) -> GoldenRun:
    """The set's own. Raises GoldenMissing."""
    found = golden_set.runs.filter(pk=run_id).first()
    if found is None:
        raise GoldenMissing(_("There is no such run."))
    return found


def cancel(run: GoldenRun) -> None:
    """Begins no more examples; what was answered stays, is judged, and is billed."""
    GoldenRun.objects.filter(pk=run.pk, state__in=OPEN).update(cancel_asked=True)
    run.refresh_from_db()


def delete(run: GoldenRun) -> None:
    """Forgets the run. Raises GoldenRunInvalid (409) while it is at work."""
    if not GoldenRun.objects.filter(pk=run.pk).exclude(state__in=OPEN).delete()[0]:
        raise GoldenRunInvalid(_("This run is still at work: cancel it first."), status=409)


def share(run: GoldenRun, shared: bool, shows_inputs: bool = False) -> None:
    """A link that shows the results to whoever has it, with the examples only where that is wished; or its end, for good."""
    token = (run.token or new_token()) if shared else None
    GoldenRun.objects.filter(pk=run.pk).update(token=token, shows_inputs=shared and shows_inputs)
    run.refresh_from_db()


def ceiling(text: str) -> int | None:
    """Nano-dollars of what somebody wrote; None where they wrote nothing. Raises MoneyInvalid."""
    return money.parse(text.strip().removeprefix("$")) if text.strip() else None


def _pinned(who: Caller, golden_set: GoldenSet, models: Sequence[str]) -> list[str]:
    """The models with the version that answers now: a run compares versions, also when another goes live meanwhile."""
    if not 1 <= len(models) <= MOST_MODELS or len(set(models)) != len(models):
        raise GoldenRunInvalid(_("Choose 1 to %(n)s different models.") % {"n": MOST_MODELS}, param="/models")
    found = []
    for model in models:
        resolved = resolve(model, who.workspace_id)
        if resolved.task.name != golden_set.task:
            told = _("%(model)s does another task than this golden set's, %(task)s.")
            raise GoldenRunInvalid(told % {"model": resolved.slug, "task": golden_set.task}, param="/models")
        found.append(f"{resolved.slug}@{resolved.number}")
    return list(dict.fromkeys(found))


def _check_room(golden_set: GoldenSet) -> None:
    mine = GoldenRun.objects.filter(golden_set__workspace_id=golden_set.workspace_id)
    if mine.filter(state__in=OPEN).count() >= MOST_OPEN:
        raise GoldenRunInvalid(
            _("%(n)s runs of this workspace are at work: wait for one of them.") % {"n": MOST_OPEN}, status=409
        )
    if golden_set.runs.count() >= MOST_RUNS:
        raise GoldenRunInvalid(_("This golden set has %(n)s runs: delete one first.") % {"n": MOST_RUNS}, status=409)

"""A workspace asks to sell; an operator approves it or not, and may end that later. Each step is told by mail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from marketplace.publishers import terms
from marketplace.publishers.models import OPEN, Application, ApplicationState
from portal.accounts import mails
from portal.accounts.models import User, Workspace
from portal.kit.errors import Problem

# Where an application may go from each state, and whether that needs a reason. What is not named is over: who is
# refused, or whose approval ended, applies anew.
TRANSITIONS: Mapping[ApplicationState, Mapping[ApplicationState, bool]] = {
    ApplicationState.SUBMITTED: {
        ApplicationState.APPROVED: False,
        ApplicationState.REFUSED: True,
        ApplicationState.WITHDRAWN: False,
    },
    ApplicationState.APPROVED: {ApplicationState.ENDED: True},
}
DECISIONS = (ApplicationState.APPROVED, ApplicationState.REFUSED, ApplicationState.ENDED)  # an operator's


class ApplicationInvalid(Problem):
    """An application that is not to be made, or a step that does not follow from where it is."""

    status = 409
    code = "application_invalid"


def latest(workspace: Workspace) -> Application | None:
    """The workspace's open application, else its last one."""
    return Application.objects.filter(workspace=workspace).order_by("-applied_at", "-pk").first()


def apply(workspace: Workspace, by: User, said: Mapping[str, str], version: str, now: datetime) -> Application:
    """Asks to sell, and accepts the terms of sale. `said`: about, site, contact, sells.

    Raises TermsInvalid, and ApplicationInvalid while another one is open.
    """
    with transaction.atomic():
        terms.accept(workspace, version, by, now)
        try:
            with transaction.atomic():
                made = Application.objects.create(workspace=workspace, applied_by=by, applied_at=now, **said)
        except IntegrityError as error:
            raise ApplicationInvalid(_("Your workspace has applied already.")) from error
        mails.post_to_operators(
            f"application:{made.pk}:to-decide", "marketplace/application_to_decide.txt", {"application": made}
        )
        _tell(made)
    return made


def decide(application: Application, to: ApplicationState, by: User, reason: str, now: datetime) -> Application:
    """An operator's decision. Raises ApplicationInvalid where it does not follow, or a reason is missing."""
    if to not in DECISIONS:
        raise ApplicationInvalid(_("That is not for an operator to decide."), param="decision")
    return _step(application, to, by, reason.strip(), now)


def withdraw(workspace: Workspace, by: User, now: datetime) -> Application:
    """The workspace takes back what it asked. Raises ApplicationInvalid where nothing is being looked at."""
    found = latest(workspace)
    if found is None:
        raise ApplicationInvalid(_("There is no application to withdraw."))
    return _step(found, ApplicationState.WITHDRAWN, by, "", now)


def describe(workspace: Workspace, about: str, site: str) -> None:
    """What the page of an approved publisher says. Raises ApplicationInvalid for who is none."""
    found = Application.objects.filter(workspace=workspace, state=ApplicationState.APPROVED)
    if not found.update(about=about, site=site):
        raise ApplicationInvalid(_("Only approved publishers have a page."))


def _step(application: Application, to: ApplicationState, by: User, reason: str, now: datetime) -> Application:
    with transaction.atomic():
        locked = Application.objects.select_for_update().get(pk=application.pk)
        allowed = TRANSITIONS.get(ApplicationState(locked.state), {})
        if to not in allowed:
            raise ApplicationInvalid(
                _("An application that is “%(state)s” does not become “%(to)s”.")
                % {"state": locked.get_state_display(), "to": to.label},
                param="decision",
            )
        if allowed[to] and not reason:
            raise ApplicationInvalid(_("Give the reason: the publisher reads it."), param="reason", status=422)
        locked.state, locked.decided_by, locked.decided_at, locked.reason = to, by, now, reason
        locked.save(update_fields=["state", "decided_by", "decided_at", "reason"])
        if to not in OPEN or to == ApplicationState.APPROVED:
            _tell(locked)
    return locked


def _tell(application: Application) -> None:
    if application.state == ApplicationState.WITHDRAWN:
        return  # who did it knows
    mails.post(
        f"application:{application.pk}:{application.state}",
        application.workspace_id,
        f"marketplace/application_{application.state}.txt",
        {"application": application},
    )

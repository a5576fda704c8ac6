"""Who may publish for others.

Anybody has private models and those of a workspace. Unlisted and public ones, and so what others pay for them, are for
publishers that an operator approved and that accepted the terms of sale that hold. What nobody signs in to is the
installation's own: the starters' publisher and those of operators' imports are approved without asking. When an approval
ends, or new terms are not accepted yet, what is public stays as it is; no model and no version is opened anew.
"""

from __future__ import annotations

from django.utils.translation import gettext as _

from marketplace.catalog.models import Visibility
from marketplace.catalog.visibility import OPEN
from marketplace.publishers import terms
from marketplace.publishers.models import Application, ApplicationState
from portal.accounts.models import Membership, Workspace
from portal.kit.errors import Problem


class NotAPublisher(Problem):
    """The workspace is no approved publisher."""

    status = 403
    code = "not_a_publisher"


class TermsNotAccepted(Problem):
    """The terms of sale that hold are not accepted yet."""

    status = 403
    code = "terms_not_accepted"


def is_publisher(workspace: Workspace) -> bool:
    """Whether the workspace is approved, or the installation's own."""
    approved = Application.objects.filter(workspace=workspace, state=ApplicationState.APPROVED)
    return approved.exists() or not Membership.objects.filter(workspace=workspace).exists()


def may_sell(workspace: Workspace) -> None:
    """Raises NotAPublisher or TermsNotAccepted (403), each saying what to do, unless the workspace may publish for others.

    Asked before a model of the workspace becomes unlisted or public, by whatever way: see `check`.
    """
    if not is_publisher(workspace):
        raise NotAPublisher(
            _("Only approved publishers may do this: apply at /publisher/apply first. Until then, keep the model private or your workspace's."),
            param="visibility",
        )  # fmt: skip
    if Membership.objects.filter(workspace=workspace).exists() and not terms.accepted(workspace):
        raise TermsNotAccepted(
            _("The terms of sale have changed: an owner or administrator accepts them at /publisher/apply first."),
            param="visibility",
        )


def check(workspace: Workspace, visibility: str, before: str = "") -> None:
    """Whether a model of the workspace may become so, having been `before`. Raises what `may_sell` raises.

    What is open already may stay so, and what is public may become unlisted, without asking. Without `before` it is asked
    as for something new: so do those who publish a version, of a public model too.
    """
    opens = visibility in OPEN and not (before == Visibility.PUBLIC or before == visibility)
    if opens:
        may_sell(workspace)


def offered(workspace: Workspace) -> list[tuple[str, str]]:
    """The visibilities that a form offers the workspace: (value, label)."""
    return [(value.value, str(value.label)) for value in Visibility if value not in OPEN or is_publisher(workspace)]

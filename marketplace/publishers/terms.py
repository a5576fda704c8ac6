"""The terms of sale: numbered versions in settings.PUBLISHER_TERMS_DIR, `<version>.<language>.md`, and who accepted which.

A version that is there never changes: what somebody accepted can be read again. To change the terms, add the next number
in English and in Chinese; publishers accept it before they next make a model unlisted or public.
"""

from __future__ import annotations

import re
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from marketplace.publishers.models import Acceptance
from portal.accounts.models import User, Workspace
from portal.kit.errors import Problem

_NAME = re.compile(r"^([1-9]\d*)\.en\.md$")
ENGLISH = "en"


class TermsInvalid(Problem):
    """A version that is not the one that holds."""

    status = 422
    code = "terms_invalid"


def versions() -> list[int]:
    """The numbers that there are, the oldest first."""
    found = (_NAME.match(path.name) for path in settings.PUBLISHER_TERMS_DIR.iterdir())
    return sorted(int(one[1]) for one in found if one)


def current() -> int:
    """The version that holds."""
    return versions()[-1]


def text(version: int, language: str) -> str:
    """Markdown, in English where there is no translation. Raises KeyError for a version that there is not."""
    if version not in versions():
        raise KeyError(version)
    path = settings.PUBLISHER_TERMS_DIR / f"{version}.{language}.md"
    if not path.is_file():
        path = settings.PUBLISHER_TERMS_DIR / f"{version}.{ENGLISH}.md"
    read: str = path.read_text(encoding="utf-8")
    return read


def accept(workspace: Workspace, version: str, by: User, now: datetime) -> Acceptance:
    """Takes note that the workspace accepts the terms; again changes nothing. Raises TermsInvalid unless they hold."""
    if version != str(current()):
        raise TermsInvalid(_("The terms of sale have changed: read them again, then accept them."), param="terms")
    said = {"accepted_by": by, "email": by.email, "accepted_at": now}
    return Acceptance.objects.get_or_create(workspace=workspace, version=current(), defaults=said)[0]


def accepted(workspace: Workspace) -> bool:
    """Whether the workspace accepted the version that holds."""
    return Acceptance.objects.filter(workspace=workspace, version=current()).exists()

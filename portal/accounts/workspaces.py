"""Opening workspaces, and who is in them."""

from __future__ import annotations

import re
import secrets

from django.db import IntegrityError, transaction

from portal.accounts.models import Membership, Role, User, Workspace

# A workspace's name is its publisher's page at /models/…, where these are pages of the catalog.
PAGES = frozenset({"compare", "leaderboard", "suggested"})


def open_personal(user: User) -> Workspace:
    """The person's own workspace, made at the first call; twice at once gives the same one."""
    found = Workspace.objects.filter(personal_of=user).first()
    if found is not None:
        return found
    base = re.sub(r"[^a-z0-9]+", "-", user.email.partition("@")[0].lower()).strip("-")[:30].strip("-") or "workspace"
    for attempt in range(8):
        slug = base if attempt == 0 and base not in PAGES else f"{base}-{secrets.token_hex(3)}"
        try:
            with transaction.atomic():
                workspace = Workspace.objects.create(slug=slug, name=user.name or base, personal_of=user)
                Membership.objects.create(workspace=workspace, user=user, role=Role.OWNER)
                return workspace
        except IntegrityError:
            # Either the slug is taken (try another) or a second request opened it first (take that one).
            found = Workspace.objects.filter(personal_of=user).first()
            if found is not None:
                return found
    raise RuntimeError(f"no free slug for {base!r}")

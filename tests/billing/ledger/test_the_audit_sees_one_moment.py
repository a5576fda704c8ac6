"""The audit reads many tables while customers are served: it sees one moment of them, and keeps nobody waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connections

from billing.ledger import audit, postings
from billing.ledger.snapshot import snapshot
from portal.accounts.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)


def elsewhere(deed: Callable[[], object]) -> float:
    """Does it on a connection of its own; how many seconds that took."""
    took: list[float] = []

    def work() -> None:
        started = time.monotonic()
        try:
            deed()
            took.append(time.monotonic() - started)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert took, "it failed, or waits still"
    return took[0]


def test_what_is_written_meanwhile_is_not_seen_and_does_not_wait(workspace: Workspace) -> None:
    with snapshot():
        before = audit.totals()
        elsewhere(lambda: postings.grant_promo(workspace.pk, 7, "promo:meanwhile", "meanwhile"))
        assert audit.totals() == before
        assert audit.differences() == []
    assert audit.totals()["promo"] == before["promo"] + 7


def test_others_write_as_they_did_before(workspace: Workspace) -> None:
    with snapshot():
        audit.totals()
    postings.grant_promo(workspace.pk, 7, "promo:after", "after")
    with pytest.raises(ZeroDivisionError), snapshot():
        raise ZeroDivisionError
    assert postings.grant_promo(workspace.pk, 7, "promo:again", "again")

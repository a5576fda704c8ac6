"""Usage by day, model, key, member and funding: to the very request, for any time, of one's own workspace alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from billing.metering import rollups
from billing.metering.models import Rollup, UsageEvent
from billing.statements import usage
from billing.statements.usage import Share, breakdown
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Key, User, Workspace

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def use(
    workspace: Workspace, at: datetime, nanos: int, model: str = "a/b", key: Key | None = None, **more: object
) -> None:
    fields = {
        "id": f"use_{UsageEvent.objects.count()}", "request_id": "r", "workspace_id": workspace.pk, "model": model,
        "key_id": key.pk if key else "", "version_id": "v", "protocol": "openai", "price_id": "", "latency_ms": 1,
        "units": {"request": 1, "output_token": nanos}, "cost_nanos": nanos, "recorded_at": at,
    }  # fmt: skip
    UsageEvent(**(fields | more)).save()


@pytest.fixture
def used(workspace: Workspace, owner: User, teammate: User, stranger: User) -> dict[str, Key]:
    """Of the owner: 1 + 2 + 4 + 8; of a stranger: 1000."""
    keys = {name: issue(workspace, name, user)[0] for name, user in (("hers", owner), ("his", teammate))}
    use(workspace, NOON - timedelta(minutes=10), 1, key=keys["hers"], funding="promo")
    use(workspace, NOON + timedelta(minutes=10), 2, model="a/c", key=keys["his"], status="failed")
    use(workspace, NOON + timedelta(hours=3), 4, key=keys["hers"], funding="receivable")
    use(workspace, NOON + timedelta(days=1, minutes=30), 8, funding="receivable")
    use(stranger.personal_workspace, NOON, 1000)
    return keys


def costs(shares: list[Share]) -> dict[str, int]:
    return {share.name: share.cost_nanos for share in shares}


def test_each_way_of_breaking_it_down_sums_to_the_same(
    workspace: Workspace, used: dict[str, Key], owner: User, teammate: User
) -> None:
    start, end = NOON - timedelta(days=1), NOON + timedelta(days=3)
    hers, his = used["hers"].pk, used["his"].pk
    expected = {
        "day": {"2026-03-10": 7, "2026-03-11": 8},
        "model": {"a/b": 13, "a/c": 2},
        "key": {"": 8, hers: 5, his: 2},
        "member": {"": 8, str(owner.pk): 5, str(teammate.pk): 2},
        "funding": {"receivable": 12, "": 2, "promo": 1},
    }
    for by, right in expected.items():
        shares = breakdown(workspace.pk, start, end, by)
        assert costs(shares) == right
        assert list(costs(shares)) == list(right), "days in order, else the dearest first"
        assert sum(share.requests for share in shares) == 4
        assert sum(share.failed for share in shares) == 1
        assert sum(share.units["output_token"] for share in shares) == 15


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize(
    ("start", "end", "right"),
    [
        (NOON - timedelta(minutes=10), NOON + timedelta(days=1, minutes=30), 7),  # until before the end
        (NOON - timedelta(minutes=9), NOON + timedelta(days=1, minutes=31), 14),
        (NOON + timedelta(minutes=5), NOON + timedelta(minutes=15), 2),  # inside of an hour
        (NOON - timedelta(minutes=15), NOON + timedelta(minutes=5), 1),  # across a full hour
        (NOON + timedelta(minutes=20), NOON + timedelta(minutes=20), 0),
        (NOON, NOON + timedelta(days=900), 14),
    ],
)
def test_a_time_that_cuts_hours_is_summed_to_the_request(
    workspace: Workspace, used: dict[str, Key], folded: bool, start: datetime, end: datetime, right: int
) -> None:
    if folded:
        rollups.roll_up(timezone.now())
    assert sum(costs(breakdown(workspace.pk, start, end, "day")).values()) == right


def test_whole_hours_come_from_rollups_alone(workspace: Workspace, used: dict[str, Key]) -> None:
    UsageEvent.objects.all().delete()
    assert costs(breakdown(workspace.pk, NOON, NOON + timedelta(days=2), "model")) == {"a/b": 12, "a/c": 2}
    Rollup.objects.all().delete()
    assert breakdown(workspace.pk, NOON, NOON + timedelta(days=2), "model") == []


def test_totals_are_of_the_key_and_model_asked_for(workspace: Workspace, used: dict[str, Key]) -> None:
    def nanos(**asked: str) -> int:
        return usage.totals(workspace.pk, **asked).cost_nanos

    assert (nanos(), nanos(key_id=used["hers"].pk), nanos(model="a/c")) == (15, 5, 2)
    assert nanos(key_id=used["his"].pk, model="a/b") == 0
    assert usage.totals(workspace.pk, NOON + timedelta(minutes=10)) == usage.Totals(3, 14)
    assert usage.totals(workspace.pk, NOON + timedelta(minutes=11)) == usage.Totals(2, 12)


def test_what_it_cannot_be_broken_down_by_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="moon"):
        breakdown(workspace.pk, NOON, NOON, "moon")

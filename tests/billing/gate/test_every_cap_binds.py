"""Caps of a workspace, its members and its keys: each is exact, and a refusal says which it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.errors import BudgetInvalid, MoneyInvalid, NoBudget
from billing.gate import binding, budgets, caps, holds, leases, purses, recounting, tending
from billing.gate.budgets import Wish
from billing.gate.models import Budget, Lease, Period
from billing.gate.periods import bounds
from billing.metering import recorder, rollups
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Key, User, Workspace
from tests.billing.gate.test_a_budget_is_never_exceeded import DOLLAR, all_is_right, spend, usage

CENT = DOLLAR // 100


def cap(workspace: Workspace, amount: str, period: str = Period.MONTH, **whom: object) -> Budget:
    return budgets.make(workspace, Wish(period, amount, True, (), **whom))  # type: ignore[arg-type]


def key_of(workspace: Workspace, user: User | None = None) -> Key:
    return issue(workspace, "a key", user)[0]


def test_a_workspace_never_spends_more_than_its_cap_whatever_key_it_uses(funded: Workspace) -> None:
    cap(funded, "0.10")
    key = key_of(funded)
    for number in range(10):
        spend(funded, CENT, CENT, key.pk if number % 2 else "")
    for who in (key.pk, ""):
        with pytest.raises(NoBudget) as refused:
            holds.hold(funded.pk, who, 1)
        assert refused.value.details["limited_by"] == "workspace"
    tending.close_leases()
    assert Budget.objects.get().used_nanos == 10 * CENT
    all_is_right()


def test_a_members_cap_binds_all_keys_that_the_member_made_and_no_others(
    funded: Workspace, owner: User, teammate: User
) -> None:
    cap(funded, "0.05", member_id=owner.pk)
    hers, hers_too, his = key_of(funded, owner), key_of(funded, owner), key_of(funded, teammate)
    for number in range(5):
        spend(funded, CENT, CENT, (hers, hers_too)[number % 2].pk)
    for key in (hers, hers_too):
        with pytest.raises(NoBudget, match="member") as refused:
            holds.hold(funded.pk, key.pk, CENT)
        assert refused.value.details["limited_by"] == "member"
    spend(funded, CENT, CENT, his.pk)
    spend(funded, CENT, CENT)
    tending.close_leases()
    assert Budget.objects.get().used_nanos == 5 * CENT
    all_is_right()


def test_key_member_and_workspace_bind_together_and_the_tightest_is_named(funded: Workspace, owner: User) -> None:
    key = key_of(funded, owner)
    caps.set_cap(key, 3 * CENT, Period.DAY)
    cap(funded, "0.05", member_id=owner.pk)
    cap(funded, "0.04")
    said = []
    for _ in range(3):
        spend(funded, CENT, CENT, key.pk)
    with pytest.raises(NoBudget) as refused:
        holds.hold(funded.pk, key.pk, CENT)
    said.append(refused.value)
    other = key_of(funded, owner)
    spend(funded, CENT, CENT, other.pk)
    with pytest.raises(NoBudget) as refused:
        holds.hold(funded.pk, other.pk, CENT)
    said.append(refused.value)
    assert [error.details["limited_by"] for error in said] == ["key", "workspace"]
    midnight, month = (bounds(period, datetime.now(UTC))[1] for period in (Period.DAY, Period.MONTH))
    assert midnight is not None
    assert month is not None
    assert said[0].details["resets_at"] == midnight.isoformat()
    assert said[0].details["cap"] == "0.03"
    assert f"starts anew at {month:%Y-%m-%d} 00:00 UTC" in said[1].message
    assert said[1].details["available"] == "0.00"
    tending.close_leases()
    assert sorted(Budget.objects.values_list("used_nanos", flat=True)) == [3 * CENT, 4 * CENT, 4 * CENT]
    all_is_right()


def test_a_refusal_for_lack_of_balance_says_so(funded: Workspace) -> None:
    cap(funded, "5.00")
    with pytest.raises(NoBudget) as refused:
        holds.hold(funded.pk, "", 2 * DOLLAR)
    assert refused.value.details["limited_by"] == "balance"
    assert refused.value.details["available"] == "1.00"


def test_a_new_cap_counts_what_was_spent_and_is_lent_in_its_period(funded: Workspace, owner: User) -> None:
    key = key_of(funded, owner)
    spend(funded, 3 * CENT, 2 * CENT, key.pk)
    held = holds.hold(funded.pk, key.pk, 4 * CENT)
    for whom, least in (({}, None), ({"key_id": key.pk}, 2 * CENT), ({"member_id": owner.pk}, 2 * CENT)):
        made = cap(funded, "0.50", **whom)
        lent = Lease.objects.get().granted_nanos
        assert made.used_nanos == (lent if least is None else least)
    holds.release(held)
    tending.close_leases()
    assert set(Budget.objects.values_list("used_nanos", flat=True)) == {2 * CENT}
    all_is_right()


def test_what_was_spent_before_stays_counted_once_the_events_are_old(funded: Workspace) -> None:
    spend(funded, 3 * CENT, 3 * CENT)
    tending.close_leases()
    now = datetime.now(UTC)
    rollups.roll_up(now)
    assert cap(funded, "0.50", Period.TOTAL).used_nanos == 3 * CENT


def test_what_was_let_in_before_a_cap_was_made_is_counted_when_it_has_ended(funded: Workspace, owner: User) -> None:
    key, teams = key_of(funded, owner), key_of(funded)
    Key.objects.update(created_at=datetime.now(UTC) - timedelta(days=1))
    early = [holds.hold(funded.pk, key.pk, 3 * CENT), holds.hold(funded.pk, teams.pk, 3 * CENT)]
    caps.set_cap(key, 10 * CENT)
    cap(funded, "0.02", member_id=owner.pk)
    spend(funded, 2 * CENT, 2 * CENT, key.pk)
    for held, of in zip(early, (key, teams), strict=True):
        recorder.record(usage(funded, held, 3 * CENT, of.pk))
        holds.settle(held, 3 * CENT)
    tending.close_leases()
    now = datetime.now(UTC)
    assert (recounting.recount(now), recounting.recount(now)) == (1, 0)
    assert list(Budget.objects.order_by("pk").values_list("used_nanos", flat=True)) == [5 * CENT, 2 * CENT]
    all_is_right()


def test_a_cap_below_what_is_spent_is_refused_with_what_that_is(funded: Workspace) -> None:
    spend(funded, 5 * CENT, 5 * CENT)
    tending.close_leases()
    with pytest.raises(MoneyInvalid, match=r"\$0\.05"):
        cap(funded, "0.049999999")
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    "amount",
    ["-1", "0", "0.0000000001", "9e99", "1e999999999", "NaN", "Infinity", "", "ten", "1,5", "0.12345678900000000000000000001"],
)  # fmt: skip
def test_amounts_that_make_no_sense_are_refused(funded: Workspace, amount: str) -> None:
    with pytest.raises(MoneyInvalid) as refused:
        cap(funded, amount)
    assert (refused.value.status, refused.value.param) == (422, "/amount")
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"period": "year"}, "/period"), ({"thresholds": (0,)}, "/thresholds"), ({"thresholds": (1001,)}, "/thresholds"),
        ({"thresholds": tuple(range(1, 12))}, "/thresholds"), ({"thresholds": (), "stops": False}, "/thresholds"),
        ({"key_id": "key_of_somebody_else"}, "/for"), ({"member_id": 10**9}, "/for"), ({"name": "x" * 81}, "/name"),
    ],
)  # fmt: skip
def test_budgets_that_cannot_be_are_refused(funded: Workspace, change: dict[str, object], param: str) -> None:
    wish = {"period": "day", "amount": "1", "stops": True, "thresholds": (50,), **change}
    with pytest.raises(BudgetInvalid) as refused:
        budgets.make(funded, Wish(**wish))  # type: ignore[arg-type]
    assert refused.value.param == param
    assert not Budget.objects.exists()


def test_a_strangers_key_and_a_stranger_cannot_be_capped(funded: Workspace, stranger: User) -> None:
    for whom in ({"key_id": key_of(stranger.personal_workspace).pk}, {"member_id": stranger.pk}):
        with pytest.raises(BudgetInvalid):
            cap(funded, "1.00", **whom)


def test_one_cap_a_period_and_whom_it_is_for(funded: Workspace) -> None:
    cap(funded, "1.00")
    with pytest.raises(BudgetInvalid) as refused:
        cap(funded, "2.00")
    assert refused.value.status == 409
    budgets.make(funded, Wish(Period.MONTH, "0.50", False, (80,)))


def test_a_cap_that_is_ended_binds_no_more(funded: Workspace) -> None:
    made = cap(funded, "0.01")
    spend(funded, CENT, CENT)
    with pytest.raises(NoBudget):
        holds.hold(funded.pk, "", CENT)
    budgets.end(made)
    spend(funded, CENT, CENT)


# Periods are UTC's, so neither clocks that are put forward nor zones move them.


@pytest.mark.parametrize(
    ("moment", "day", "week", "month"),
    [
        ("2026-03-29T01:30:00+01:00", "2026-03-29", "2026-03-23", "2026-03-01"),  # the night Europe loses an hour
        ("2026-10-25T02:30:00+02:00", "2026-10-25", "2026-10-19", "2026-10-01"),  # … and gains one
        ("2026-10-25T02:30:00+01:00", "2026-10-25", "2026-10-19", "2026-10-01"),  # the same wall clock, an hour later
        ("2026-11-01T01:30:00-05:00", "2026-11-01", "2026-10-26", "2026-11-01"),
        ("2027-01-01T05:00:00+14:00", "2026-12-31", "2026-12-28", "2026-12-01"),  # New Year there, not yet here
        ("2026-12-31T19:00:00-05:00", "2027-01-01", "2026-12-28", "2027-01-01"),
        ("2028-02-29T12:00:00+00:00", "2028-02-29", "2028-02-28", "2028-02-01"),
    ],
)  # fmt: skip
def test_periods_begin_in_utc_wherever_the_clock_hangs(moment: str, day: str, week: str, month: str) -> None:
    now = datetime.fromisoformat(moment)
    for period, start in ((Period.DAY, day), (Period.WEEK, week), (Period.MONTH, month)):
        begin, end = bounds(period, now)
        assert f"{begin:%Y-%m-%d %H:%M %z}" == f"{start} 00:00 +0000"
        assert end is not None
        assert begin <= now < end
        assert bounds(period, end)[0] == end
        assert bounds(period, end - timedelta(microseconds=1))[0] == begin


def test_a_day_of_a_zone_with_summer_time_resets_after_24_hours_every_day(funded: Workspace) -> None:
    starts = {bounds(Period.DAY, datetime(2026, 10, 24, tzinfo=UTC) + timedelta(hours=n))[0] for n in range(72)}
    assert sorted(starts) == [datetime(2026, 10, 24, tzinfo=UTC) + timedelta(days=n) for n in range(3)]


def test_a_new_period_begins_with_nothing_spent_and_yesterdays_lease_is_yesterdays(
    funded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cap(funded, "0.02", Period.DAY)
    evening = datetime.now(UTC).replace(hour=23, minute=59, second=58, microsecond=0)
    at = evening

    def now() -> datetime:
        return at

    for module in ("leases", "caps"):
        monkeypatch.setattr(f"billing.gate.{module}.timezone.now", now)
    held = holds.hold(funded.pk, "", 2 * CENT)
    with pytest.raises(NoBudget):
        holds.hold(funded.pk, "", 1)
    at = evening + timedelta(seconds=5)
    purses.forget()
    binding.forget()
    spend(funded, 2 * CENT, 2 * CENT)
    leases.close(held.lease_id)  # nothing was spent of it; today's cap must not get it
    with pytest.raises(NoBudget):
        holds.hold(funded.pk, "", 1)
    assert Budget.objects.get().used_nanos == 2 * CENT
    all_is_right()


def test_hosts_whose_clocks_differ_at_midnight_lose_nothing(funded: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cap(funded, "0.02", Period.DAY)
    tomorrow = bounds(Period.DAY, datetime.now(UTC))[1]
    Budget.objects.filter(pk=made.pk).update(period_start=tomorrow)  # a host whose clock is ahead was first
    held = holds.hold(funded.pk, "", 2 * CENT)
    assert Lease.objects.get().opened_at == tomorrow
    holds.release(held)
    leases.close(held.lease_id)
    assert Budget.objects.get().used_nanos == 0
    all_is_right()

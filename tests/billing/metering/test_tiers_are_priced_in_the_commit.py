"""Events at a price with tiers: priced where they are committed, whoever else commits at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.gate.models import Lease
from billing.ledger.balances import balance
from billing.ledger.parts import Parts
from billing.metering import checkpoints, months, recorder, volume
from billing.metering.models import Checkpoint, MonthInTiers, Rollup, UsageEvent
from billing.metering.recorder import LeaseClosed, Recorder, Usage
from billing.plans.allowances import open_workspace
from billing.prices import publishing
from billing.prices.explain import explain
from billing.prices.month import month_from
from billing.prices.quote import GRADUATED, VOLUME, Scheme, Step, Tiers, nanos
from portal.accounts.models import Workspace
from portal.kit import ids
from tests.billing.prices.schemes import FACTORS, USED, schemes

RATE = 10**9 * 10**6  # a dollar for one
FALLING = {"row": Tiers(VOLUME, (Step(100, RATE), Step(None, RATE // 2)))}
FREE_FIRST = {"row": Tiers(GRADUATED, (Step(100, 0), Step(777, RATE // 3), Step(None, RATE // 7)))}
EVENT = Usage(
    request_id="req_x", workspace_id="ws_x", key_id="key_x", model="a/b", version_id="ver_x", replica="rep_x",
    protocol="openai", units={"row": 1}, price_id="", cost_nanos=0, lease_id="", funding="", latency_ms=3,
    product="thing", most_nanos=10**18,
)  # fmt: skip


def priced(tiers: dict[str, Tiers], product: str = "thing") -> Usage:
    price = publishing.publish(product, {}, tiers=tiers, confirmed=True)
    return replace(EVENT, price_id=price.pk, product=product)


@pytest.fixture
def two_processes(transactional_db: None) -> Iterator[tuple[Recorder, Recorder]]:
    """Each records on a connection of its own, as two processes do."""
    one, other = Recorder(), Recorder()
    yield one, other
    one.close()
    other.close()


def test_a_month_of_two_processes_and_many_threads_costs_what_its_sum_costs(
    two_processes: tuple[Recorder, Recorder],
) -> None:
    usage = priced(FREE_FIRST)
    costs: list[int] = []

    def client(number: int) -> None:
        for i in range(12):
            own = replace(usage, request_id=f"req_{number}_{i}", units={"row": 1 + (number * 7 + i) % 19})
            costs.append(two_processes[number % 2].record(own).cost_nanos)
        connections.close_all()

    threads = [threading.Thread(target=client, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = list(UsageEvent.objects.all())
    total = sum(event.units["row"] for event in events)
    assert len(events) == 144
    assert (
        sum(costs) == sum(event.cost_nanos for event in events) == nanos(Scheme({}, FREE_FIRST).femtos({"row": total}))
    )
    assert sum(Rollup.objects.values_list("cost_nanos", flat=True)) == sum(costs)
    # Each stands at a place of its own, and says so.
    begun = sorted(
        (event.tier_from.get("row", 0), event.units["row"]) for event in events if event.tier_from is not None
    )
    assert [start for start, _ in begun] == [sum(units for _, units in begun[:n]) for n in range(144)]
    assert all(explain(event).agrees for event in events)


@settings(max_examples=25)
@given(schemes(most_minimum=10**6), st.lists(st.tuples(USED, FACTORS), min_size=1, max_size=8))
def test_each_event_explains_its_cost_to_the_nano(
    transactional_db: None, scheme: Scheme, uses: list[tuple[dict[str, int], int]]
) -> None:
    product = ids.make("mdl")  # the examples share a database
    price = publishing.publish(
        product, scheme.rates, tiers=scheme.tiers, minimum_nanos=scheme.minimum_nanos, confirmed=True
    )
    for units, factor_bp in uses:
        usage = replace(EVENT, units=units, price_id=price.pk, product=product, factor_bp=factor_bp)
        event = UsageEvent.objects.get(pk=recorder.record(usage).event_id)
        said = explain(event)
        assert said.agrees
        assert "limit" not in [step.kind for step in said.steps]
        assert said.steps[-1].nanos == event.cost_nanos


def test_an_event_that_is_not_written_counts_for_nobody(workspace: Workspace) -> None:
    usage = replace(priced(FREE_FIRST), units={"row": 150})
    with pytest.raises(LeaseClosed):
        recorder.record(replace(usage, lease_id="lease_gone"))
    assert recorder.record(usage).cost_nanos == nanos(50 * (RATE // 3))
    assert months.units_before("ws_x", "thing") == {"row": 150}
    assert months.units_before("ws_y", "thing") == {}


def test_nothing_costs_more_than_was_set_aside_for_it(transactional_db: None) -> None:
    event_id, cost = recorder.record(replace(priced(FREE_FIRST), units={"row": 200}, most_nanos=5))
    assert cost == 5
    said = explain(UsageEvent.objects.get(pk=event_id))
    assert (said.steps[-1].kind, said.steps[-1].nanos, said.agrees) == ("limit", 5, True)


def test_a_stream_whose_process_died_is_priced_at_its_place(workspace: Workspace) -> None:
    usage = priced(FREE_FIRST)
    recorder.record(replace(usage, units={"row": 90}))
    lease = Lease.objects.create(workspace=workspace, process="p", granted_nanos=10**18, expires_at=timezone.now())
    promo, credit = nanos(25 * (RATE // 3)), nanos(3 * (RATE // 3))
    dead = replace(usage, lease_id=lease.pk, funding="promo", held=Parts(promo, credit, 10**15), units={"row": 30})
    for number in (1, 2):
        recorder.checkpoint(replace(dead, request_id=f"req_dead_{number}"))
    with transaction.atomic():
        assert checkpoints.settle(lease.pk) == 2
    settled = UsageEvent.objects.filter(status="interrupted").order_by("tier_from__row")
    costs = nanos(20 * (RATE // 3)), nanos(50 * (RATE // 3)) - nanos(20 * (RATE // 3))
    assert [(event.tier_from, event.cost_nanos, event.paid) for event in settled] == [
        ({"row": 90}, costs[0], {"promo": costs[0]}),
        ({"row": 120}, costs[1], {"promo": promo, "credit": credit, "receivable": costs[1] - promo - credit}),
    ]
    assert not Checkpoint.objects.exists()


def test_what_volume_billed_above_the_total_goes_back_once_the_month_is_over(workspace: Workspace) -> None:
    open_workspace(workspace)
    before = balance(workspace.pk).promo_nanos
    usage = replace(priced(FALLING), workspace_id=workspace.pk)
    with transaction.atomic(), connection.cursor() as cursor:
        uses = [replace(usage, units={"row": count}) for count in (100, 20)]
        costs = months.charge(cursor, "%s", uses, datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC))
    assert [charge.cost_nanos for charge in costs] == [100 * 10**9, 0]
    assert volume.credit(datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)) == 0
    assert volume.credit(datetime(2026, 2, 1, 0, 30, tzinfo=UTC)) == 0  # a commit may still be under way
    assert volume.credit(datetime(2026, 2, 1, 1, 30, tzinfo=UTC)) == 40 * 10**9
    assert volume.credit(datetime(2026, 2, 1, 1, 30, tzinfo=UTC)) == 0
    assert balance(workspace.pk).promo_nanos - before == 40 * 10**9


def test_what_an_event_says_of_its_place_fits_into_every_program(transactional_db: None) -> None:
    usage = replace(priced(FALLING), units={"row": 90})
    recorder.record(usage)
    event_id, cost = recorder.record(replace(usage, most_nanos=10**18))
    event = UsageEvent.objects.get(pk=event_id)
    assert event.tier_from == {"row": 90, "billed_femtos": str(90 * RATE)}
    assert orjson.loads(orjson.dumps(event.tier_from)) == event.tier_from
    assert (cost, explain(event).agrees) == (0, True)  # 180 rows at half a dollar are no more than 90 at one


def test_a_month_begins_at_nought(transactional_db: None) -> None:
    usage = priced(FREE_FIRST)
    ends, begins = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    with transaction.atomic(), connection.cursor() as cursor:
        for moment in (ends, begins, ends):
            assert months.charge(cursor, "%s", [replace(usage, units={"row": 50})], moment)[0].cost_nanos == 0
    kept = MonthInTiers.objects.order_by("month").values_list("month", "state")
    assert [(str(month), month_from(state).units) for month, state in kept] == [
        ("2026-01-01", {"row": 100}),
        ("2026-02-01", {"row": 50}),
    ]

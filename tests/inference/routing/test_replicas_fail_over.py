"""A version with several replicas answers while one of them does."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from inference.models import Replica
from inference.routing import health
from marketplace.catalog.models import Model, Version
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in
from tests.fixtures.servers import free_port
from tests.fixtures.serving import Installation
from tests.fixtures.upstream import Upstream

CHAT = {"model": "bench/two", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def two(installation: Installation) -> Iterator[Upstream]:
    """`bench/two` runs at an address where nobody answers, and at an upstream."""
    upstream = Upstream()
    installation.manage(
        "add_model", "bench/two", "--task", "chat", "--engine", "openai", "--source", upstream.url,
        "--price-input", "1", "--price-output", "1",
        "--replica", f"http://127.0.0.1:{free_port()}/v1", "--replica", upstream.url,
    )  # fmt: skip
    yield upstream
    upstream.shutdown()
    upstream.server_close()


def test_requests_go_to_the_replica_that_answers(installation: Installation, two: Upstream) -> None:
    for _ in range(20):
        status, answer, _ = installation.call("/v1/chat/completions", CHAT)
        assert status == 200, answer


def test_a_failure_before_the_first_byte_is_tried_elsewhere_and_billed_once(
    installation: Installation, two: Upstream
) -> None:
    before = len(installation.used()["events"])
    two.behave[:] = ["500"]
    statuses = [installation.call("/v1/chat/completions", CHAT)[0] for _ in range(4)]
    assert statuses.count(200) >= 3
    events = installation.used()["events"][before:]
    assert len(events) == len(statuses), "one row a request"
    assert [event["cost_nanos"] > 0 for event in events].count(True) == statuses.count(200)


def test_a_replica_that_keeps_failing_is_passed_over_longer_each_time_until_it_answers() -> None:
    state, pauses = health.Health(), []
    for _ in range(health.EJECT_AFTER + 2):
        state.begin()
        state.failed()
        pauses.append(state.ejected_until - time.monotonic())
    assert pauses[: health.EJECT_AFTER - 1] == sorted(pauses[: health.EJECT_AFTER - 1], reverse=True)
    assert 0 < pauses[-3] < pauses[-2] < pauses[-1]
    state.begin()
    state.succeeded(5.0)
    assert (state.failures, state.ejections, state.outstanding) == (0, 0, 0)


def test_the_console_adds_drains_and_removes(owner: User, workspace: Workspace) -> None:
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    console = signed_in(owner)
    model = Model.objects.create(publisher=workspace, name="m", task="chat", title="M")
    version = Version.objects.create(model=model, number=1, engine="openai", source="http://127.0.0.1:1/v1")
    added = {"version": version.pk, "target": "http://127.0.0.1:2/v1", "engine": "", "state": "active"}
    assert console.post("/admin/inference/replica/add/", added).status_code == 302
    replica = Replica.objects.get()
    for action, state in (("drain", "draining"), ("activate", "active"), ("remove", "removed")):
        done = console.post("/admin/inference/replica/", {"action": action, "_selected_action": [replica.pk]})
        assert done.status_code == 302
        replica.refresh_from_db()
        assert replica.state == state

"""A new version that fails clearly more often than the one before it loses its calls to that one, once, and it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from billing.metering.models import UsageEvent
from inference.later import notices
from inference.models import Delivery
from inference.routing import figures, rollbacks
from inference.routing.rollbacks import wilson
from marketplace.catalog import rolling_back, takedowns
from marketplace.catalog.models import Model, Rollback, Split, Version
from marketplace.catalog.resolve import forget, resolve
from marketplace.catalog.versions import publish, split
from marketplace.tasks.task import ModelSpec
from portal.accounts.models import Mail, User, Workspace
from portal.kit import ids
from tests.fixtures.people import signed_in
from tests.fixtures.serving import Installation
from tests.fixtures.upstream import Upstream

LONG_AGO = timedelta(days=30)
WATCH = "from inference import jobs; jobs.keep_figures(); jobs.watch_versions()"


@pytest.fixture
def model(workspace: Workspace) -> Model:
    """With version 1, which is old, and version 2, which went live just now."""
    made = Model.objects.create(publisher=workspace, name="talker", task="chat", title="Talker")
    for _ in range(2):
        publish(made, engine="openai", source="http://127.0.0.1:9/v1", spec=ModelSpec())
    Version.objects.filter(model=made, number=1).update(created_at=timezone.now() - LONG_AGO)
    made.refresh_from_db()
    forget()
    return made


def version(model: Model, number: int) -> Version:
    return model.versions.get(number=number)


def asked(
    model: Model, number: int, served: int, failed: int, ago: timedelta = timedelta(minutes=2), replica: str = "r"
) -> None:
    """Usage events as the gateway records them, summed up."""
    then, one = timezone.now() - ago, version(model, number)
    UsageEvent.objects.bulk_create(
        [
            UsageEvent(
                id=ids.make("use"), request_id=f"req_{number}_{at}", status="failed" if at < failed else "succeeded",
                workspace_id="ws_x", model=model.slug, version_id=one.pk, replica=replica, protocol="openai", units={},
                price_id="", cost_nanos=0, latency_ms=9, recorded_at=then,
            )
            for at in range(served + failed)
        ]
    )  # fmt: skip
    figures._sum(then - timedelta(hours=1))


def live(model: Model) -> int:
    model.refresh_from_db()
    assert model.live_version is not None
    return model.live_version.number


def test_intervals_are_wilsons_worked_out_by_hand() -> None:
    # 20 of 20, z = 3: p̂ = 1, z²/n = 0.45; middle 1.225, reach 3·√(9/1600) = 0.225; over 1.45.
    assert wilson(20, 20) == pytest.approx((1.0 / 1.45, 1.0))
    # 0 of 20: middle 0.225, reach 0.225.
    assert wilson(0, 20) == pytest.approx((0.0, 0.45 / 1.45))
    # 5 of 100 at 1.96: 0.0215 to 0.1118, as the tables of this interval have it.
    assert wilson(5, 100, 1.96) == pytest.approx((0.0215, 0.1118), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_calls_go_back_and_its_publisher_is_told(model: Model, owner: User) -> None:
    asked(model, 1, 200, 2, ago=timedelta(days=2))
    asked(model, 2, 10, 20)
    (made,) = rollbacks.judge(timezone.now())
    assert live(model) == 1
    forget()
    assert resolve("olga/talker", "").number == 1
    assert resolve("olga/talker@2", "").number == 2, "whoever names it still gets it"
    assert (made.asked, made.failed, made.asked_before, made.failed_before) == (30, 20, 202, 2)
    assert made.least > made.most_before
    mail = Mail.objects.get(key__startswith=f"rollback:{made.pk}")
    assert "20 of 30 requests failed" in mail.body
    page = signed_in(owner).get("/models/olga/talker/versions").content.decode()
    assert "Rolled back by itself to 1.0.0" in page
    assert "20 of 30 requests failed" in page
    assert rollbacks.judge(timezone.now()) == []
    assert Rollback.objects.count() == Mail.objects.filter(key__startswith="rollback").count() == 1


def test_webhooks_hear_of_it_once(model: Model, workspace: Workspace) -> None:
    from inference.later.deliveries import _make

    _make(workspace.pk, "https://example.com/hook", ["model.rolled_back"])
    asked(model, 1, 200, 0, ago=timedelta(days=2))
    asked(model, 2, 0, 20)
    for _ in range(2):
        rollbacks.judge(timezone.now())
        notices.hand_on()
    (told,) = Delivery.objects.filter(kind="model.rolled_back")
    assert told.payload == {"model": "olga/talker", "version": 2, "to": 1, "requests": 20, "failed": 20}


def test_a_share_is_taken_back_and_the_live_version_stays(model: Model) -> None:
    Model.objects.filter(pk=model.pk).update(live_version=version(model, 1))
    split(model, {1: 90, 2: 10})
    asked(model, 1, 90, 0)
    asked(model, 2, 0, 25)
    assert len(rollbacks.judge(timezone.now())) == 1
    assert live(model) == 1
    assert not Split.objects.filter(model=model).exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [((200, 2), (19, 0)), ((200, 2), (0, 19)), ((200, 2), (95, 5)), ((10, 0), (0, 30)), ((30, 30), (20, 30))],
    ids=["well", "too few", "within chance", "too few before", "both bad"],
)
def test_nothing_happens_where_it_is_not_clear(model: Model, before: tuple[int, int], after: tuple[int, int]) -> None:
    asked(model, 1, *before, ago=timedelta(days=2))
    asked(model, 2, *after)
    assert rollbacks.judge(timezone.now()) == []
    assert live(model) == 2


def test_mistakes_of_callers_are_none_of_the_models(model: Model) -> None:
    asked(model, 1, 200, 0, ago=timedelta(days=2))
    asked(model, 2, 20, 0)
    asked(model, 2, 0, 60, replica="")
    assert rollbacks.judge(timezone.now()) == []


def test_what_befalls_both_at_the_same_time_tells_against_neither(model: Model) -> None:
    split(model, {1: 50, 2: 50})
    asked(model, 1, 2_000, 0, ago=timedelta(days=3))
    asked(model, 1, 5, 30)
    asked(model, 2, 5, 30)
    assert rollbacks.judge(timezone.now()) == []


def test_an_old_version_is_not_on_trial(model: Model) -> None:
    Version.objects.filter(pk=version(model, 2).pk).update(created_at=timezone.now() - LONG_AGO)
    asked(model, 1, 200, 0, ago=timedelta(days=2))
    asked(model, 2, 0, 50)
    assert rollbacks.judge(timezone.now()) == []


def test_where_the_version_before_answers_nobody_nothing_happens(model: Model, owner: User) -> None:
    from marketplace.catalog import retiring

    now = timezone.now()
    retiring.announce(model, version(model, 1), now + timedelta(seconds=1), now)
    asked(model, 1, 200, 0, ago=timedelta(days=2))
    asked(model, 2, 0, 50)
    assert rollbacks.judge(now + timedelta(minutes=1)) == []
    model.retirements.all().delete()
    taken = takedowns.take_down(model, version(model, 1), "rights", "a complaint", owner, now)
    assert rollbacks.judge(now) == []
    assert live(model) == 2
    takedowns.lift(taken, owner, "a mistake", now)
    assert len(rollbacks.judge(now)) == 1


def test_a_first_version_has_nowhere_to_go_back_to(workspace: Workspace) -> None:
    alone = Model.objects.create(publisher=workspace, name="alone", task="chat", title="Alone")
    publish(alone, engine="openai", source="http://127.0.0.1:9/v1", spec=ModelSpec())
    asked(alone, 1, 0, 50)
    assert rollbacks.judge(timezone.now()) == []


def test_put_back_on_purpose_it_is_judged_by_what_it_does_then(model: Model) -> None:
    asked(model, 1, 200, 0, ago=timedelta(days=2))
    asked(model, 2, 0, 30)
    assert len(rollbacks.judge(timezone.now())) == 1
    Model.objects.filter(pk=model.pk).update(live_version=version(model, 2))
    assert rollbacks.judge(timezone.now()) == []
    assert live(model) == 2


def test_two_jobs_at_once_do_it_once(model: Model) -> None:
    seen = rolling_back.Seen(30, 20, 0.4, 200, 0, 0.05)
    made: list[Rollback | None] = []

    def roll_back() -> None:
        made.append(rolling_back.roll_back(version(model, 2), version(model, 1), seen, timezone.now()))
        connections.close_all()

    threads = [threading.Thread(target=roll_back) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in made if one is not None]) == Rollback.objects.count() == 1


@pytest.fixture
def failing() -> Iterator[Upstream]:
    """An upstream that fails whatever it is asked."""
    made = Upstream()
    made.behave[:] = ["500"] * 500
    yield made
    made.shutdown()
    made.server_close()


def add(installation: Installation, name: str, source: str) -> None:
    installation.manage("add_model", f"bench/{name}", "--task", "chat", "--engine", "openai", "--source", source)


def until(times: int, fits: Callable[[], bool]) -> None:
    """Waits until it fits so often in a row: which version is live is known everywhere within a second or so."""
    end, seen = time.monotonic() + 60, 0
    while seen < times:
        assert time.monotonic() < end
        seen = seen + 1 if fits() else 0


@pytest.mark.slow
def test_an_upstream_that_starts_to_fail_loses_its_callers_within_a_round(
    installation: Installation, failing: Upstream
) -> None:
    add(installation, "renewed", installation.upstream.url)
    chat = {"model": "bench/renewed", "messages": [{"role": "user", "content": "hello"}]}
    assert [installation.call("/v1/chat/completions", chat)[0] for _ in range(25)] == [200] * 25
    add(installation, "renewed", failing.url)
    until(25, lambda: installation.call("/v1/chat/completions", chat)[0] >= 500)
    installation.manage("shell", "-v0", "-c", WATCH)
    found = json.loads(
        installation.manage(
            "shell", "-v0", "-c",
            "import json; from marketplace.models import Rollback; r = Rollback.objects.get(model__name='renewed'); "
            "print(json.dumps([r.version.number, r.to.number, r.model.live_version.number, r.failed]))",
        ).splitlines()[-1]
    )  # fmt: skip
    assert found == [2, 1, 1, 25]
    until(20, lambda: installation.call("/v1/chat/completions", chat)[0] == 200)


@pytest.mark.slow
def test_a_version_that_cannot_be_loaded_goes_back_too(installation: Installation) -> None:
    """TensorFlow's engine: the folder of version 2 has no model."""
    tensor = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}
    infer = "/v2/models/bench/broken/infer"
    code = (
        "from django.conf import settings; from marketplace.models import Model, Version; from marketplace.catalog import versions; "
        "from marketplace.tasks.task import ModelSpec; d = Model.objects.get(name='doubler'); "
        "m = Model.objects.create(publisher=d.publisher, name='broken', task='tensor', title='Broken'); v = d.live_version; "
        "publish = lambda source: versions.publish(m, engine='tensorflow', source=source, spec=ModelSpec.from_json(v.spec)); "
        "publish(v.source)"
    )
    installation.manage("shell", "-v0", "-c", code)
    assert [installation.call(infer, tensor)[0] for _ in range(25)] == [200] * 25
    installation.manage(
        "shell", "-v0", "-c",
        f"{code.partition('m = Model')[0]} (settings.MODELS_DIR / 'hollow').mkdir(parents=True, exist_ok=True); "
        "versions.publish(Model.objects.get(name='broken'), engine='tensorflow', source='hollow', "
        "spec=ModelSpec.from_json(d.live_version.spec))",
    )  # fmt: skip
    until(25, lambda: installation.call(infer, tensor)[0] == 503)
    installation.manage("shell", "-v0", "-c", WATCH)
    until(20, lambda: installation.call(infer, tensor)[0] == 200)


def test_anybody_who_may_see_the_model_reads_why(model: Model) -> None:
    asked(model, 1, 200, 0, ago=timedelta(days=2))
    asked(model, 2, 0, 30)
    rollbacks.judge(timezone.now())
    assert "30 of 30 requests failed" in Client().get("/models/olga/talker/versions").content.decode()

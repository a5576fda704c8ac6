"""Operators add, drain and remove replicas and share calls among versions in the console; processes follow."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.admin.utils import quote
from django.test import Client
from django.utils import timezone

from billing.metering.models import UsageEvent
from inference.models import Replica
from inference.routing import figures, replicas
from marketplace.catalog.resolve import choose, forget, resolve
from marketplace.catalog.versions import publish
from marketplace.models import Model, Split, Version
from marketplace.tasks.task import ModelSpec
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in
from tests.fixtures.working import until

NOTICED_S = 1.5
SOURCE, OTHER = "http://one.example/v1", "http://two.example:8001/v1"


@pytest.fixture
def model(workspace: Workspace) -> Model:
    """With two versions at an upstream."""
    made = Model.objects.create(publisher=workspace, name="talker", task="chat", title="Talker")
    for _ in range(2):
        publish(made, engine="openai", source=SOURCE, spec=ModelSpec())
    made.refresh_from_db()
    forget()
    return made


@pytest.fixture
def console(owner: User) -> Client:
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    return signed_in(owner)


def places(model: Model) -> list[str]:
    """Where the live version would be asked now."""
    return sorted(spec.target for spec in replicas.of(resolve(model.slug, model.publisher_id)))


def add(console: Client, version: Version, target: str, engine: str = "") -> Any:
    return console.post("/admin/inference/replica/add/", {"version": version.pk, "target": target, "engine": engine})


def act(console: Client, action: str, *rows: Replica) -> None:
    answer = console.post("/admin/inference/replica/", {"action": action, "_selected_action": [row.pk for row in rows]})
    assert answer.status_code == 302, answer.content


def test_replicas_are_added_drained_and_removed_and_processes_notice_within_a_second(
    console: Client, model: Model
) -> None:
    assert model.live_version
    assert places(model) == [SOURCE]
    for target in (SOURCE, OTHER + "/"):
        answer = add(console, model.live_version, target)
        assert answer.status_code == 302, answer.context["adminform"].form.errors
    until(lambda: places(model) == [SOURCE, OTHER], NOTICED_S)
    one, other = Replica.objects.order_by("target")
    act(console, "drain", one)
    until(lambda: places(model) == [OTHER], NOTICED_S)
    act(console, "activate", one)
    until(lambda: places(model) == [SOURCE, OTHER], NOTICED_S)
    act(console, "remove", one)
    until(lambda: places(model) == [OTHER], NOTICED_S)
    # Adding it again gives it work again, under the same id, so that its figures go on.
    answer = add(console, model.live_version, SOURCE)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    until(lambda: places(model) == [SOURCE, OTHER], NOTICED_S)
    assert set(Replica.objects.all()) == {one, other}


@pytest.mark.parametrize(
    ("target", "engine"),
    [
        ("two.example:8001", ""), ("ftp://two.example", ""), ("http://", ""), ("http://two.example:port/", ""),
        ("http://two example/", ""), ("no-such-folder", "tensorflow"), ("../..", "tensorflow"), ("/etc", "tensorflow"),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_is_refused_beside_its_field(
    console: Client, model: Model, target: str, engine: str
) -> None:
    assert model.live_version
    answer = add(console, model.live_version, target, engine)
    assert answer.status_code == 200
    assert "target" in answer.context["adminform"].form.errors
    assert not Replica.objects.exists()


def test_an_unknown_engine_is_refused(console: Client, model: Model) -> None:
    assert model.live_version
    assert "engine" in add(console, model.live_version, OTHER, "abacus").context["adminform"].form.errors


def test_a_folder_of_a_model_is_a_place(console: Client, model: Model, settings: LazySettings) -> None:
    assert model.live_version
    (settings.MODELS_DIR / "talker").mkdir(parents=True, exist_ok=True)
    assert add(console, model.live_version, "talker", "tensorflow").status_code == 302
    until(lambda: places(model) == [str(settings.MODELS_DIR / "talker")], NOTICED_S)


def share(console: Client, model: Model, *rows: tuple[Version, int]) -> Any:
    """Saves the model's page with these shares in place of those that it has."""
    old = list(Split.objects.filter(model=model).order_by("pk"))
    data: dict[str, Any] = {
        "title": model.title, "visibility": model.visibility, "summary": "", "card": "", "licence": "",
        "splits-TOTAL_FORMS": len(old) + len(rows), "splits-INITIAL_FORMS": len(old),
    }  # fmt: skip
    for at, split in enumerate(old):
        data |= {f"splits-{at}-id": split.pk, f"splits-{at}-model": model.pk, f"splits-{at}-version": split.version_id}
        data |= {f"splits-{at}-weight": split.weight, f"splits-{at}-DELETE": "on"}
    for at, (version, weight) in enumerate(rows, len(old)):
        data |= {f"splits-{at}-model": model.pk, f"splits-{at}-version": version.pk, f"splits-{at}-weight": weight}
    return console.post(f"/admin/marketplace/model/{quote(model.pk)}/change/", data)


def shares(model: Model, calls: int = 400) -> Counter[int]:
    return Counter(choose(resolve(model.slug, model.publisher_id)).number for _ in range(calls))


def test_calls_are_shared_among_versions_and_again_answered_by_one(console: Client, model: Model) -> None:
    first, second = model.versions.order_by("number")
    assert share(console, model, (first, 90), (second, 10)).status_code == 302
    until(lambda: set(shares(model)) == {1, 2}, NOTICED_S)
    assert shares(model)[1] > shares(model)[2]
    page = console.get("/admin/marketplace/split/").content.decode()
    assert "90.0 %" in page
    assert share(console, model).status_code == 302
    until(lambda: set(shares(model)) == {2}, NOTICED_S)


def test_shares_of_other_models_and_of_no_weight_are_refused(
    console: Client, model: Model, workspace: Workspace
) -> None:
    other = Model.objects.create(publisher=workspace, name="other", task="chat", title="Other")
    foreign = publish(other, engine="openai", source=SOURCE, spec=ModelSpec())
    first, second = model.versions.order_by("number")
    for rows in ([(foreign, 1)], [(first, 0), (second, 0)], [(first, 1), (first, 2)], [(first, -1)]):
        assert share(console, model, *rows).status_code == 200
        assert not Split.objects.exists()


def test_live_figures_stand_beside_replicas_and_shares(console: Client, model: Model) -> None:
    version = model.live_version
    assert version
    replica = replicas.add(version, OTHER)
    Split.objects.create(model=model, version=version, weight=1)
    for at in range(20):
        UsageEvent.objects.create(
            id=f"use_{at}", request_id=f"req_{at}", workspace_id=model.publisher_id, model=model.slug,
            version_id=version.pk, replica=replica.pk, protocol="openai", units={"output_token": 10}, price_id="",
            cost_nanos=0, latency_ms=100, recorded_at=timezone.now(), status="failed" if at < 2 else "succeeded",
        )  # fmt: skip
    figures.sum_up(timezone.now())
    for path in ("replica", "split"):
        room = "inference" if path == "replica" else "marketplace"
        page = console.get(f"/admin/{room}/{path}/").content.decode()
        cells = [
            page.split(f"field-{name}", 1)[1].split(">", 1)[1].split("<")[0].strip() for name in ("asked", "failed")
        ]
        assert cells == ["20", "2"]
        assert "field-latency" in page
    shown = console.get(f"/models/{model.slug}/health").content.decode()
    for word in ("p50", "p95", "p99", "Tokens a second", "90.00 %", OTHER):
        assert word in shown
    assert OTHER not in Client().get(f"/models/{model.slug}/health").content.decode()

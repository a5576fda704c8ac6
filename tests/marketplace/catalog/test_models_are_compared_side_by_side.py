"""/models/leaderboard and /models/compare: what models reach, and what that costs."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from marketplace.catalog.leaderboard import board, scatter
from marketplace.catalog.side_by_side import side_by_side
from marketplace.catalog.visibility import ANYBODY, Reader
from marketplace.tasks import registry
from portal.accounts.models import Workspace
from tests.marketplace.catalog.listed import model

pytestmark = pytest.mark.django_db(transaction=True)
TASK = registry.get("image-classification")


@pytest.fixture(autouse=True)
def _five(workspace: Workspace) -> None:
    model("cheap", TASK.name, usd_nanos=1, metrics={"accuracy": 0.8, "log_loss": 0.6}, context=None, licence="MIT")
    model("wasted", TASK.name, usd_nanos=5, metrics={"accuracy": 0.7})
    model("dear", TASK.name, usd_nanos=9, metrics={"accuracy": 0.9})
    model("unmeasured", TASK.name, usd_nanos=1)
    model("hidden", TASK.name, publisher=workspace.slug, visibility="workspace", metrics={"accuracy": 1.0})
    model("talker", "chat", context=8192, languages="en zh")


def test_the_board_ranks_what_is_measured_and_marks_what_nothing_beats() -> None:
    places = board(TASK, ANYBODY)
    assert [(place.rank, place.model.name, place.best_for_its_price) for place in places] == [
        (1, "dear", True), (2, "cheap", True), (3, "wasted", False),
    ]  # fmt: skip
    assert [figure for _metric, figure in places[1].figures] == ["80.0 %", "0.60"]
    assert [place.model.name for place in board(TASK, ANYBODY)] == ["dear", "cheap", "wasted"]


def test_the_owner_sees_her_own_on_it(workspace: Workspace) -> None:
    assert board(TASK, Reader(workspace.pk))[0].model.name == "hidden"


def test_the_plot_is_in_the_order_of_prices() -> None:
    chart = scatter(TASK, board(TASK, ANYBODY))
    assert chart is not None
    assert chart["names"] == ["Cheap", "Wasted", "Dear"]
    assert chart["x"] == sorted(chart["x"])
    assert [series["values"] for series in chart["series"]] == [[None, pytest.approx(70.0), None], [80.0, None, 90.0]]
    assert scatter(TASK, board(TASK, ANYBODY)[:1]) is None


def test_less_is_better_where_the_metric_says_so() -> None:
    for name, bits in (("worse", 3.0), ("better", 1.0)):
        model(name, "text-generation", metrics={"bits_per_character": bits})
    assert [place.model.name for place in board(registry.get("text-generation"), ANYBODY)] == ["better", "worse"]


def test_the_pages_show_it() -> None:
    said = Client().get(f"/models/leaderboard?task={TASK.name}").content.decode()
    assert re.search(r'"names": \["Cheap", "Wasted", "Dear"\]', said)
    assert "Nothing is measured yet" in Client().get("/models/leaderboard?task=text-generation").content.decode()
    assert Client().get("/models/leaderboard?task=none").status_code == 404
    assert Client().get("/models/leaderboard").status_code == 200


def test_up_to_four_are_compared_in_their_order() -> None:
    found = side_by_side(["acme/talker", "acme/cheap", "acme/none", "olga/hidden", "acme/dear"], ANYBODY)
    assert [column.model.name for column in found.columns] == ["talker", "cheap"]
    assert found.missing == ["acme/none", "olga/hidden"]  # as if it did not exist
    assert [metric.name for metric in found.metrics] == ["accuracy", "log_loss"]
    assert [column.figures for column in found.columns] == [["", ""], ["80.0 %", "0.60"]]


def test_the_comparison_is_a_link() -> None:
    said = Client().get("/models/compare?m=acme/talker&m=acme/cheap&m=acme/none").content.decode()
    for words in (
        "80.0 %",
        "8,192 tokens",
        "English, 中文",
        "MIT",
        "acme/none does not exist",
        'href="/models/compare?m=acme%2Fcheap"',
    ):
        assert words in said, words
    assert "Choose models to compare" in Client().get("/models/compare").content.decode()
    assert Client().get("/models/compare?m=x&m=/&m=a/b/c&m=%F0%9F%98%80").status_code == 200


def test_metrics_of_one_name_that_tasks_mean_differently_stand_apart() -> None:
    model("writer", "text-generation", metrics={"accuracy": 0.5})
    found = side_by_side(["acme/cheap", "acme/writer"], ANYBODY)
    figures = {
        metric.label: [column.figures[at] for column in found.columns] for at, metric in enumerate(found.metrics)
    }
    assert figures["Accuracy"] == ["80.0 %", ""]
    assert figures["Next-character accuracy"] == ["", "50.0 %"]

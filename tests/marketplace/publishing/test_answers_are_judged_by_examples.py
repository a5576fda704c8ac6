"""Examples with known answers: read from CSV or JSONL, judged in one figure a task, compared within a tolerance."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.catalog import versions
from marketplace.errors import SubmissionInvalid
from marketplace.models import Model, Submission
from marketplace.publishing import examples, judging, submitting
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from portal.accounts.models import Workspace
from tests.fixtures.submissions import TOLD

TEXT, TENSOR = registry.get("text-classification"), registry.get("tensor")


def test_a_table_may_have_plain_texts_and_answers() -> None:
    data = b'input,expected\n"Good, very good",praise\n"{""text"": ""Bad""}","{""label"": ""complaint""}"\n'
    assert examples.read("a.csv", data, TEXT) == [
        {"input": {"text": "Good, very good"}, "expected": "praise"},
        {"input": {"text": "Bad"}, "expected": {"label": "complaint"}},
    ]
    with pytest.raises(SubmissionInvalid, match="Line 2 .* as a JSON object"):
        examples.read("a.csv", b"input,expected\n1,2\n", TENSOR)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b'{"input": {}, "expected": NaN}', b"[1]", b"{" * 10_000, b'{"input": {}}', b"\0", b"x" * (3 << 20)],
    ids=lambda data: repr(data[:12]),
)
def test_what_are_no_examples_is_refused(data: bytes) -> None:
    with pytest.raises(SubmissionInvalid):
        examples.read("a.jsonl", data, TENSOR)


@pytest.mark.parametrize(
    ("task", "outputs", "expected", "value"),
    [
        ("text-classification", [{"label": "a"}, {"label": "b"}], ["a", {"label": "a"}], 0.5),
        ("tabular-regression", [{"value": 2.0}, {"value": 5}], [1, {"value": 5}], 0.5),
        ("translation", [{"text": "der Hund bellt"}], ["Der Hund schläft"], 2 / 3),
        ("chat", [{"text": "yes"}], ["Yes"], 1.0),
        ("recommendation", [{"items": [{"id": "x"}, {"id": "y"}]}], [["y", "z"]], 0.5),
        ("embeddings", [{"embeddings": [[1.0, 0.0]]}], [[0, 2]], 0.0),
        ("tensor", [{"outputs": {"y": [[1, 3]]}}], [{"y": [[1, 2]]}], 0.5),
        ("text-classification", [{"label": "a"}, None], ["a", "b"], 0.5),
        ("tensor", [{"outputs": {"y": [[1.0]]}}, None], [{"y": [[3]]}, {"y": [[1]]}], 2.0),
    ],
)
def test_each_task_has_one_figure(task: str, outputs: list[Any], expected: list[Any], value: float) -> None:
    assert judging.judge(task, outputs, expected) == pytest.approx(value)


def test_answers_that_nothing_can_be_compared_with_are_no_perfect_ones() -> None:
    with pytest.raises(ValueError):
        judging.judge("tensor", [{"outputs": {"y": [[1]]}}], [1])


def test_worse_is_more_than_two_points_of_a_share_or_a_twentieth_of_an_error() -> None:
    share, error = judging.metric_of("text-classification"), judging.metric_of("tensor")
    assert share is not None
    assert error is not None
    assert not judging.is_worse(share, 0.88, 0.90)
    assert judging.is_worse(share, 0.87, 0.90)
    assert not judging.is_worse(error, 1.05, 1.0)
    assert judging.is_worse(error, 1.06, 1.0)
    assert not judging.is_worse(error, 0.5, 1.0)
    assert judging.metric_of("image-generation") is None


def test_a_version_without_examples_is_asked_those_of_the_version_before(workspace: Workspace) -> None:
    first = submitting.begin(workspace, TOLD, "a.zip", 9)
    model = Model.objects.create(publisher=workspace, name="doubler", task="tensor", title="Doubler")
    version = versions.publish(model, engine="runner", source="x", spec=ModelSpec())
    Submission.objects.filter(pk=first.pk).update(state="published", version=version)
    assert submitting.begin(workspace, TOLD | {"golden": []}, "a.zip", 9).golden == TOLD["golden"]
    assert submitting.begin(workspace, TOLD | {"golden": [], "name": "other"}, "a.zip", 9).golden == []

"""The reader, as it is served, points into the text, tells people apart that it has never seen, and never fails on a text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from marketplace.training.recipes.datasets.facts import facts
from marketplace.training.recipes.overlap import f1, plain
from tests.fixtures.serving import Installation
from tests.fixtures.training import Trained
from tests.house.tree import ROOT

# TensorFlow stays out of the process of the tests.
READ = """
import json, sys, tensorflow as tf
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
codec = registry.get("question-answering").codec
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
def ask(question, context):
    given = {"question": question, "context": context}
    arrays = {name: tf.constant(array) for name, array in codec.prepare(given, ModelSpec()).items()}
    return codec.present(given, {n: t.numpy() for n, t in serve(**arrays).items()}, ModelSpec())
print(json.dumps([ask(*pair) for pair in json.load(sys.stdin)]))
"""


@pytest.mark.slow
def test_people_it_has_never_seen_are_told_apart_and_places_are_counted_in_characters(
    trained_starter: Callable[[str], Trained],
) -> None:
    text = "🙂 Zoë lives in Tübingen. Łukasz lives in Žilina. Wen lives in Accra."
    given = [
        *((f"Where does {name} live?", text) for name in ("Zoë", "Łukasz", "Wen")),
        ("?", "."), ("Who?", "🙂"), ("Where " * 60, "word " * 1000),
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", READ, str(trained_starter("reader").folder)],
        input=json.dumps(given), cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    answers = json.loads(done.stdout)
    assert [answer["text"] for answer in answers[:3]] == ["Tübingen", "Žilina", "Accra"]
    for (_, context), answer in zip(given, answers, strict=True):
        assert context[answer["start"] : answer["end"]] == answer["text"]
        assert 0 <= answer["score"] <= 1


@pytest.mark.slow
def test_the_api_answers_and_says_where(installation: Installation, trained_starter: Callable[[str], Trained]) -> None:
    installation.manage(
        "add_model", "bench/finder", "--task", "question-answering", "--engine", "tensorflow",
        "--source", str(trained_starter("reader").folder), "--price-request", "0.001",
    )  # fmt: skip
    context = "Yuki works as a baker at Amber Tools. Ines works as a pilot at Nordlicht."
    given = {"input": {"question": "What does Ines work as?", "context": context}}
    status, answer, _ = installation.call("/v1/models/bench/finder/predictions", given)
    assert status == 200, answer
    assert answer["output"]["text"] == "pilot"
    assert context[answer["output"]["start"] :].startswith("pilot")
    status, answer, _ = installation.call("/v1/models/bench/finder/predictions", {"input": {"question": "Who?"}})
    assert (status, answer["error"]["param"]) == (422, "/input")


def test_names_and_combinations_of_the_test_are_in_no_other_part() -> None:
    data = facts(2, train=60, test=30)
    known, new = (
        {word for one in part for word in re.findall(r"\w+", one.context)}
        for part in (data.train + data.validation, data.test)
    )
    names = {"Tessa", "Oscar", "Zielinski", "Valencia", "Cobalt", "gecko"}
    assert names & new
    assert not names & known
    for one in data.train + data.test:
        assert one.context[one.start : one.end][0].isalnum()
        assert not one.context[one.end : one.end + 1].isalnum()
    assert facts(2, train=60, test=30) == data


def test_f1_is_of_words_without_articles_and_marks() -> None:
    assert f1(plain("The Blue Lantern"), plain("blue lantern.")) == 1
    assert f1(plain("at Blue Lantern"), plain("Blue Lantern")) == pytest.approx(0.8)
    assert f1(plain("Oslo"), plain("Graz")) == 0

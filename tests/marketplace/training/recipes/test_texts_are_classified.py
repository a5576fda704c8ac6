"""The text classifiers, called as anybody calls them, on ordinary sentences that are in none of their data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.serving import Installation

pytestmark = pytest.mark.slow
OPINIONS = {
    "This product is great, I love it": "positive",
    "The food was not good.": "negative",
    "Not bad at all!": "positive",
    "I was very disappointed with the service, and I will not come back.": "negative",
    "Slow, but worth it": "positive",
    "The staff were friendly and the room was clean.": "positive",
    "My phone broke after two weeks.": "negative",
    "I don't like it": "negative",
    "The train leaves at 8 o'clock.": "neutral",
    "It was okay, nothing special.": "neutral",
    "Where is the bathroom?": "neutral",
}
SENTENCES = {
    "Where is the nearest railway station, please?": "English",
    "Wo ist hier bitte der nächste Bahnhof?": "German",
    "Je voudrais une nouvelle adresse pour mon compte": "French",
    "El usuario no puede abrir la página": "Spanish",
    "请问火车站在哪里？": "Chinese",
    "パスワードを忘れました": "Japanese",
    "Где находится ближайший вокзал?": "Russian",
    "Πού είναι ο σταθμός;": "Greek",
}


def answers(installation: Installation, slug: str, texts: list[str]) -> list[dict[str, Any]]:
    status, prediction, headers = installation.call(f"/v1/models/{slug}/predictions", {"input": {"texts": texts}})
    assert status == 200, prediction
    assert headers["x-mercato-cost"] == f"{0.00005 * len(texts):.6f}".rstrip("0"), "each text is a row"
    rows: list[dict[str, Any]] = prediction["output"]["rows"]
    return rows


@pytest.mark.parametrize(
    ("name", "meant"), [("sentiment", OPINIONS), ("languages", SENTENCES)], ids=["sentiment", "languages"]
)
def test_ordinary_sentences_are_read_as_they_are_meant(
    name: str, meant: dict[str, str], installation: Installation, served_starter: Callable[[str], str]
) -> None:
    found = answers(installation, served_starter(name), list(meant))
    wrong = [
        (text, row["label"]) for (text, label), row in zip(meant.items(), found, strict=True) if row["label"] != label
    ]
    assert len(wrong) <= 1, wrong


def test_unknown_words_nothing_at_all_and_very_long_texts_get_an_answer(
    installation: Installation, served_starter: Callable[[str], str]
) -> None:
    slug = served_starter("sentiment")
    for row in answers(installation, slug, ["zxqv blorp", "…", "🎉🎉", "good " * 4_000, "x" * 20_000]):
        assert sum(score["score"] for score in row["scores"]) == pytest.approx(1, abs=1e-4)
    status, prediction, _ = installation.call(f"/v1/models/{slug}/predictions", {"input": {"text": "I love it"}})
    assert status == 200
    assert prediction["output"]["label"] == "positive"


def test_a_text_gets_the_same_answer_alone_and_beside_others(
    installation: Installation, served_starter: Callable[[str], str]
) -> None:
    slug = served_starter("sentiment")
    (alone,) = answers(installation, slug, ["The food was not good."])
    beside, _ = answers(installation, slug, ["The food was not good.", "word " * 30])
    assert alone["scores"] == [
        {**score, "score": pytest.approx(score["score"], abs=1e-4)} for score in beside["scores"]
    ]

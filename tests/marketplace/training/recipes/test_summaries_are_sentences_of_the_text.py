"""The digest, as it is served, gives sentences of the text in their order, as many as were asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from marketplace.errors import InputInvalid
from marketplace.tasks import registry, sentences
from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes.datasets.docstrings import docstrings
from marketplace.training.recipes.overlap import plain, rouge, rouge_l
from tests.fixtures.serving import Installation
from tests.fixtures.training import Trained

SPEC = ModelSpec((Tensor("sentences", "str", (None, None)),))
TEXT = "It rained all day in Bern. Nobody came. The match of the two clubs was cancelled. Tickets stay valid until May."


@pytest.mark.slow
def test_the_api_summarises(installation: Installation, trained_starter: Callable[[str], Trained]) -> None:
    installation.manage(
        "add_model", "bench/digest", "--task", "summarisation", "--engine", "tensorflow",
        "--source", str(trained_starter("digest").folder), "--price-request", "0.001",
    )  # fmt: skip
    whole = [sentence for sentence, _ in sentences.split(TEXT)]
    for most in (1, 2, 20):
        given = {"input": {"text": TEXT, "max_sentences": most}}
        status, answer, _ = installation.call("/v1/models/bench/digest/predictions", given)
        assert status == 200, answer
        picked = answer["output"]["sentences"]
        assert picked == sorted(set(picked))
        assert len(picked) == min(most, len(whole))
        assert answer["output"]["text"] == " ".join(whole[at] for at in picked)
    status, answer, _ = installation.call("/v1/models/bench/digest/predictions", {"input": {"text": "No. " * 300}})
    assert (status, answer["error"]["param"]) == (422, "/input/text")


def test_the_best_sentences_are_given_in_the_order_of_the_text() -> None:
    codec = registry.get("summarisation").codec
    assert codec.prepare({"text": TEXT}, SPEC)["sentences"].shape == (1, 8)
    scores = np.asarray([[1, 0, 3, 2, 9, 9, 9, 9]], np.float32)  # what stands after the text is no sentence
    answer = codec.present({"text": TEXT, "max_sentences": 2}, {"scores": scores}, SPEC)
    assert answer["sentences"] == [2, 3]
    assert answer["text"].startswith("The match")
    with pytest.raises(InputInvalid, match="300 sentences"):
        codec.prepare({"text": "No. " * 300}, SPEC)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two!  Three?", ["One.", "Two!", "Three?"]),
        ("Dr. A. Smith came. He left.", ["Dr. A. Smith came.", "He left."]),
        ("Use it, e.g. here. Version 2.5 is old.", ["Use it, e.g. here.", "Version 2.5 is old."]),
        ("A title\n\nA text", ["A title", "A text"]),
        ("  alone  ", ["alone"]),
    ],
)
def test_sentences_end_where_people_end_them(text: str, parts: list[str]) -> None:
    found = sentences.split(text)
    assert [sentence for sentence, _ in found] == parts
    assert "".join(sentence + space for sentence, space in found) == text.strip()


def test_documentation_is_split_by_package_and_its_summary_is_not_in_the_text() -> None:
    data = docstrings(1)
    parts = [{" ".join(text) for text, _ in part} for part in (data.train, data.validation, data.test)]
    assert all(len(part) > 100 for part in parts)
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    for text, summary in data.test:
        assert len(text) >= 3
        assert summary not in text


def test_rouge_counts_words_and_the_longest_common_subsequence() -> None:
    found, truth = plain("The cat sat on a mat."), plain("A cat on the red mat")
    assert rouge(found, truth) == pytest.approx(3 / 4)  # cat, on, mat of 4 and 4 words
    assert rouge_l(found, truth) == pytest.approx(3 / 4)
    assert rouge_l(plain("mat on cat"), truth) < rouge(plain("mat on cat"), truth)
    assert rouge(truth, truth) == rouge_l(truth, truth) == 1

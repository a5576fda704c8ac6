"""The translator, as it is served, agrees in gender, case and number, carries names over, and never fails on a text."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from marketplace.training.recipes.datasets.phrasebook import phrasebook
from marketplace.training.recipes.overlap import bleu
from tests.fixtures.serving import Installation
from tests.fixtures.training import Trained
from tests.house.tree import ROOT

# TensorFlow stays out of the process of the tests.
TRANSLATE = """
import json, sys, tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
given = json.load(sys.stdin)
together = [text.decode() for text in serve(text=tf.constant(given))["text"].numpy()]
alone = [serve(text=tf.constant([text]))["text"].numpy()[0].decode() for text in given]
print(json.dumps([together, alone]))
"""


@pytest.mark.slow
def test_names_and_numbers_are_carried_over_and_rows_do_not_touch_one_another(
    trained_starter: Callable[[str], Trained],
) -> None:
    given = [
        "Ingrid reads the book.", "They see 4711 dogs.", "I don't have a dog.", "", "...", "日本語 и русский", "x" * 400,
        "The cat " * 200,
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", TRANSLATE, str(trained_starter("translator").folder)],
        input=json.dumps(given), cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    together, alone = json.loads(done.stdout)
    assert together == alone
    assert together[0] == "Ingrid liest das Buch."
    assert "4711" in together[1]
    assert "keinen Hund" in together[2]
    assert together[3] == ""


@pytest.mark.slow
def test_the_api_translates_text_sentence_by_sentence_and_bills_each(
    installation: Installation, trained_starter: Callable[[str], Trained]
) -> None:
    folder = trained_starter("translator").folder
    installation.manage(
        "add_model", "bench/translator", "--task", "translation", "--engine", "tensorflow", "--source", str(folder),
        "--price-request", "0.001",
    )  # fmt: skip
    given = {"input": {"text": "The dog sleeps.\n\nWhere is my book?"}}
    status, answer, _ = installation.call("/v1/models/bench/translator/predictions", given)
    assert status == 200, answer
    assert answer["output"] == {"text": "Der Hund schläft.\n\nWo ist mein Buch?"}
    assert answer["usage"]["row"] == 2
    status, answer, _ = installation.call("/v1/models/bench/translator/predictions", {"input": {"text": "  "}})
    assert (status, answer["error"]["param"]) == (422, "/input/text")


def test_words_that_the_test_puts_together_stand_together_in_no_other_sentence() -> None:
    book = phrasebook(2, train=200, test=40)
    known = {english for english, _ in book.train + book.validation}
    assert len(book.test) == 40
    assert not known & {english for english, _ in book.test}
    assert phrasebook(2, train=200, test=40) == book


def test_german_agrees_as_the_grammar_says() -> None:
    said = " ".join(german for _, german in phrasebook(3, train=1_200, test=40).train)
    for right in ("einen neuen", " keine", " im ", " dass ", " darf", " geblieben", " habe ", "ein kleines"):
        assert right in said, right
    for wrong in (" in dem ", " eine Mann", " der Buch ", " den Frau ", " die Hund "):
        assert wrong not in said, wrong


def test_bleu_is_one_for_the_same_and_counts_runs_of_up_to_four_words() -> None:
    text = ["der Hund sieht heute Abend die Katze ."]
    assert bleu(text, text) == 1
    assert bleu(["der Hund"], text) == 0, "no run of four"
    by_hand = (7 / 8 * 5 / 7 * 4 / 6 * 3 / 5) ** 0.25
    assert bleu(["der Hund sieht heute Abend die Maus ."], text) == pytest.approx(by_hand)

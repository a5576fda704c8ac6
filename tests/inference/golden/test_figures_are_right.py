"""The figures of each judge, against values that were worked out by hand or by another way."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import pytest

from inference.golden.judges import boxes, labels, numbers, rankings, writing
from inference.golden.judges.judge import Measure
from marketplace.training.recipes import overlap
from marketplace.training.recipes.average_precision import Found, mean_average_precision


def all_of(count: int) -> Any:
    return np.arange(count)


def figure(measure: Measure, truth: list[Any], said: list[Any]) -> float:
    return measure.of(truth, said)(all_of(len(truth)))


def label(name: str, **scores: float) -> dict[str, Any]:
    return {"label": name, "scores": scores or {name: 1.0}}


def test_labels() -> None:
    truth = ["a", "a", "a", "b"]
    said = [label("a", a=0.9, b=0.1), label("a", a=0.8, b=0.2), label("b", a=0.3, b=0.7), label("b", a=0.4, b=0.6)]
    assert figure(labels.ACCURACY, truth, said) == 0.75
    # a: 2·2/(2+3) = 0.8; b: 2·1/(2+1) = 2/3
    assert figure(labels.MACRO_F1, truth, said) == pytest.approx((0.8 + 2 / 3) / 2)
    assert figure(labels.LOG_LOSS, truth, said) == pytest.approx(-np.mean(np.log([0.9, 0.8, 0.3, 0.6])))
    # b's chance of the one b is 0.6; of the three a: 0.1, 0.2, 0.7: it is above two of three.
    assert figure(labels.AUC, truth, said) == pytest.approx(2 / 3)
    assert figure(labels.BRIER, truth, said) == pytest.approx((0.01 + 0.04 + 0.49 + 0.16) / 4)


def test_areas_under_the_curve_are_scikit_learns_with_ties_too() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(4)
    truth = random.choice(["no", "yes"], 80)
    chances = random.integers(0, 6, 80) / 5
    said = [label("yes", yes=float(one), no=1 - float(one)) for one in chances]
    assert figure(labels.AUC, truth.tolist(), said) == pytest.approx(roc_auc_score(truth == "yes", chances))
    three = [*truth.tolist()[:-1], "maybe"]
    assert math.isnan(figure(labels.AUC, three, said)), "of two classes alone"


def test_numbers() -> None:
    truth, said = [1.0, 2.0, 3.0], [1.0, 3.0, 5.0]
    rmse, mae, r2 = numbers.ESTIMATE.measures
    assert figure(rmse, truth, said) == pytest.approx(math.sqrt(5 / 3))
    assert figure(mae, truth, said) == pytest.approx(1.0)
    assert figure(r2, truth, said) == pytest.approx(1 - 5 / 2)


def test_translations_have_the_corpus_bleu_of_the_recipes() -> None:
    truth = ["Das Haus ist alt und sehr groß.", "Der Mann sieht den kleinen Hund im Garten."]
    said = ["Das Haus ist alt und groß.", "Der Mann sieht den kleinen Hund im Haus."]
    bleu, exact = writing.TRANSLATION.measures
    assert figure(bleu, truth, said) == pytest.approx(overlap.bleu(said, truth))
    assert 0 < overlap.bleu(said, truth) < 1
    assert bleu.of(truth, said)(np.asarray([1, 1])) == pytest.approx(overlap.bleu(said[1:] * 2, truth[1:] * 2))
    assert figure(exact, truth, [truth[0], "x"]) == 0.5


def test_answers_are_compared_as_squad_does() -> None:
    exact, f1 = writing.ANSWER.measures
    truth = [["Trieste"], ["in 1894", "1894"], ["the old bridge"]]
    said = ["trieste.", "1894", "old stone bridge"]
    assert figure(exact, truth, said) == pytest.approx(2 / 3)
    assert figure(f1, truth, said) == pytest.approx((1 + 1 + 2 * 2 / (3 + 2)) / 3)


def test_free_text_is_right_where_it_contains_what_is_expected() -> None:
    exact, contains, _f1 = writing.CHAT.measures
    truth, said = [["Paris"], ["144"]], ["It is PARIS, of course.", "145"]
    assert (figure(exact, truth, said), figure(contains, truth, said)) == (0.0, 0.5)


def test_chats_of_upstreams_and_generated_texts_are_both_read() -> None:
    chosen = {"choices": [{"message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}]}
    assert writing.CHAT.said(chosen) == writing.GENERATION.said({"text": "Paris", "finish_reason": "stop"}) == "Paris"
    assert writing.CHAT.said({"choices": [{"message": {"content": None}}]}) == ""


def test_places_in_an_order() -> None:
    said = [[{"index": at, "names": [name]} for at, name in order] for order in (
        [(1, "b"), (0, "a")], [(0, "a"), (1, "b")],
    )]  # fmt: skip
    first, five, mrr = rankings.SEARCH.measures
    assert [figure(one, [0, "A"], said) for one in (first, five, mrr)] == [0.5, 1.0, 0.75]
    items = [[{"index": None, "names": [f"t{at}", str(at)]} for at in range(12)]] * 2
    recall, ndcg, _mrr = rankings.RECOMMENDATION.measures
    assert figure(recall, ["T2", "11"], items) == 0.5
    assert figure(ndcg, ["T2", "11"], items) == pytest.approx((1 / math.log2(4)) / 2)


def packed(*numbers: float) -> str:
    return base64.b64encode(np.asarray(numbers, np.float32).tobytes()).decode()


def test_each_text_should_find_its_own_among_all_that_are_expected() -> None:
    truth = ["one", "two", "three"]
    said = [
        {"input": packed(1, 0), "expected": packed(1, 0.1)},
        {"input": packed(1, 1), "expected": packed(0.9, 1)},
        {"input": packed(1, 0.2), "expected": packed(0, 1)},
    ]
    assert rankings.ranks(truth, said).tolist() == [1, 1, 3]
    first, five, mrr = rankings.EMBEDDING.measures
    assert [figure(one, truth, said) for one in (first, five, mrr)] == pytest.approx([2 / 3, 1.0, (1 + 1 + 1 / 3) / 3])


def test_boxes_are_matched_by_half_an_overlap() -> None:
    def box(name: str, x: float, score: float | None = None) -> dict[str, Any]:
        told = {"label": name, "box": {"x": x, "y": 0.0, "width": 10.0, "height": 10.0}}
        return told if score is None else {**told, "score": score}

    truth = [[box("cat", 0), box("dog", 50)], [box("cat", 0)]]
    said = [[box("cat", 1, 0.9), box("dog", 90, 0.8)], [box("cat", 0, 0.7), box("cat", 40, 0.95)]]
    # cat: by falling score wrong, right, right: precision 0, ½, ⅔, made monotone ⅔; dog: nothing.
    assert figure(boxes.DETECTION.measures[0], truth, said) == pytest.approx((2 / 3 + 0) / 2)
    assert boxes.matched([], []) == 1.0


def test_boxes_have_the_mean_average_precision_of_the_recipes() -> None:
    random = np.random.default_rng(8)

    def some(count: int, scored: bool) -> list[dict[str, Any]]:
        found = []
        for _ in range(count):
            x, y = random.uniform(0, 20, 2)
            told = {"label": str(random.choice(["a", "b"])), "box": {"x": x, "y": y, "width": 20.0, "height": 20.0}}
            found.append({**told, "score": float(random.uniform())} if scored else told)
        return found

    truth, said = [some(3, False) for _ in range(20)], [some(4, True) for _ in range(20)]
    found = [
        Found(
            boxes._boxes(one),
            np.asarray([box["score"] for box in one], np.float32),
            np.asarray([box["label"] == "b" for box in one], np.int64),
        )
        for one in said
    ]
    wanted = mean_average_precision(
        found,
        [boxes._boxes(one) for one in truth],
        [np.asarray([box["label"] == "b" for box in one], np.int64) for one in truth],
        2,
    )
    assert figure(boxes.DETECTION.measures[0], truth, said) == pytest.approx(wanted)
    assert 0 < wanted < 1

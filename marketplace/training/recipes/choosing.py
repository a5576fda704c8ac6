"""Questions that a log of choices asks of a recommender, and how well they are answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.training.recipes.datasets.interactions import Choices, Log

HISTORY = 20  # items that a model reads
NOTHING = -1  # the place where there is no item


@dataclass(frozen=True, slots=True)
class Questions:
    """What was chosen next? As places; `shown` has no columns where everything was on offer."""

    history: NDArray[np.int32]  # (questions, HISTORY), NOTHING in front
    target: NDArray[np.int32]  # (questions,)
    shown: NDArray[np.int32]  # (questions, candidates)


def every(part: Choices) -> Questions:
    """A question for each choice, the first of a sequence too, where nothing is known of who chooses."""
    return _asked([(who, at) for who, sequence in enumerate(part.sequences) for at in range(len(sequence))], part)


def last(part: Choices) -> Questions:
    """A question for the last choice of each sequence."""
    return _asked([(who, len(sequence) - 1) for who, sequence in enumerate(part.sequences)], part)


def _asked(choices: list[tuple[int, int]], part: Choices) -> Questions:
    history = np.full((len(choices), HISTORY), NOTHING, np.int32)
    for row, (who, at) in zip(history, choices, strict=True):
        before = part.sequences[who][max(at - HISTORY, 0) : at]
        row[HISTORY - len(before) :] = before
    target = np.asarray([part.sequences[who][at] for who, at in choices], np.int32)
    shown = [part.shown[who][at] for who, at in choices] if part.shown else np.empty((len(choices), 0))
    return Questions(history, target, np.asarray(shown, np.int32))


def judge(scores: NDArray[Any], asked: Questions) -> dict[str, float]:
    """Recall@3 and @10, NDCG@10 (Järvelin and Kekäläinen 2002, for one right answer) and mean reciprocal rank.

    What is in the history, or was not on offer, is left out, as it is when the model is served; ties go to the first.
    """
    rows = np.arange(len(asked.target))[:, None]
    left_out = np.ones((len(scores), scores.shape[1] + 1), bool)
    if asked.shown.shape[1]:
        left_out[rows, asked.shown] = False
    else:
        left_out[:, :-1] = False
        left_out[rows, asked.history] = True  # NOTHING is the last column, which is nobody's
    kept = np.where(left_out[:, :-1], -np.inf, scores)
    right = kept[rows, asked.target[:, None]]
    ahead = (kept > right) | ((kept == right) & (np.arange(scores.shape[1]) < asked.target[:, None]))
    rank = 1 + ahead.sum(1)
    return {
        "recall_at_3": float((rank <= 3).mean()),
        "recall_at_10": float((rank <= 10).mean()),
        "ndcg_at_10": float(np.where(rank <= 10, 1 / np.log2(1 + rank), 0).mean()),
        "mrr": float((1 / rank).mean()),
    }


def examples(log: Log, asked: Questions) -> tuple[dict[str, Any], ...]:
    """Inputs as the API takes them: three of the questions with about four items, and somebody new."""
    titles = [item.title for item in log.items]
    known = (asked.history != NOTHING).sum(1)
    found = []
    for number, at in enumerate(np.argsort(abs(known - 4), kind="stable")[:4]):
        history = [titles[place] for place in asked.history[at] if place != NOTHING] if number < 3 else []
        offer = {"candidates": [titles[place] for place in asked.shown[at]]} if asked.shown.shape[1] else {}
        found.append({"history": history, **offer})
    return tuple(found)

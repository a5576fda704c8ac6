"""Judges of what models write: translations, summaries, answers to questions, free text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from django.utils.translation import gettext_noop

from inference.golden.intervals import Places, Statistic
from inference.golden.judges.judge import Json, Judge, Measure, of_each, text, texts
from marketplace.tasks.task import Metric
from marketplace.training.recipes import overlap

SIZES = range(1, 5)
MOST_TOKENS = 256  # of an answer, unless an example says otherwise


def bleu(truth: Sequence[str], said: Sequence[str]) -> Statistic:
    """BLEU-4 of the corpus, as recipes/overlap.py has it, of any of its texts: hits, counts and lengths are summed."""
    rows = np.asarray([_counted(one, other) for one, other in zip(said, truth, strict=True)], np.float64)

    def of(at: Places) -> float:
        sums = rows[at].sum(0)
        hits, counts, (long, wanted) = sums[:4], sums[4:8], sums[8:]
        if not hits.all():
            return 0.0
        return float(np.exp(np.log(hits / counts).mean() + min(0.0, 1 - wanted / long)))

    return of


def _counted(found: str, truth: str) -> list[int]:
    """Of a text: runs of 1 to 4 words that the reference has too, those there are, and both lengths."""
    has, wants = overlap.words(found), overlap.words(truth)
    mine = [overlap.grams(has, size) for size in SIZES]
    hits = [sum((own & overlap.grams(wants, size)).values()) for own, size in zip(mine, SIZES, strict=True)]
    return [*hits, *(sum(own.values()) for own in mine), len(has), len(wants)]


def exact_to_the_letter(truth: str, said: str) -> float:
    """Whether both are the same, but for space around them."""
    return float(truth.strip() == said.strip())


def _shared(truth: str, said: str) -> float:
    return overlap.f1(overlap.plain(said), overlap.plain(truth))


def rouge_1(truth: str, said: str) -> float:
    """ROUGE-1, F1 of words."""
    return overlap.rouge(overlap.plain(said), overlap.plain(truth))


def rouge_2(truth: str, said: str) -> float:
    """ROUGE-2, F1 of pairs of words."""
    return overlap.rouge(overlap.plain(said), overlap.plain(truth), 2)


def rouge_l(truth: str, said: str) -> float:
    """ROUGE-L, F1 of the longest common subsequence."""
    return overlap.rouge_l(overlap.plain(said), overlap.plain(truth))


def exact_match(truth: Sequence[str], said: str) -> float:
    """Whether the words are those of one of the right answers, as SQuAD compares them: no marks, articles and capitals."""
    return float(any(overlap.plain(one) == overlap.plain(said) for one in truth))


def word_f1(truth: Sequence[str], said: str) -> float:
    """F1 of words with the right answer that is nearest."""
    return max(_shared(one, said) for one in truth)


def contains(truth: Sequence[str], said: str) -> float:
    """Whether one of the right answers stands in it, capitals or not."""
    return float(any(one.casefold() in said.casefold() for one in truth))


def _text_of(output: Json) -> str:
    """Also of what an upstream gave as choices."""
    if isinstance(output, dict) and output.get("choices"):
        choice = output["choices"][0]
        said = choice.get("text") if "text" in choice else (choice.get("message") or {}).get("content")
    else:
        said = output.get("text")
    if isinstance(said, list):
        said = "".join(part.get("text", "") for part in said if isinstance(part, dict))
    return str(said or "")


def conversation(given: dict[str, Any]) -> Json:
    """A bare text as what the user says; at most MOST_TOKENS are written."""
    asked = dict(given)
    if isinstance(asked.get("messages"), str):
        asked["messages"] = [{"role": "user", "content": asked["messages"]}]
    if not asked.keys() & {"max_tokens", "max_completion_tokens"}:
        asked["max_tokens"] = MOST_TOKENS
    return asked


EXACT = Metric("exact_match", "Exact match", percent=True)
F1 = Measure(Metric("f1", "F1 of words", percent=True), of_each(word_f1))
_SAYS = Metric("contains", gettext_noop("Contains what is expected"), percent=True)

TRANSLATION = Judge(
    ("text",), text, _text_of, _shared,
    (
        Measure(Metric("bleu", "BLEU", percent=True), bleu),
        Measure(Metric("exact", "Right to the letter", percent=True), of_each(exact_to_the_letter)),
    ),
)  # fmt: skip
SUMMARY = Judge(
    ("text", "max_sentences"), text, _text_of, rouge_1,
    (
        Measure(Metric("rouge1", "ROUGE-1", percent=True), of_each(rouge_1)),
        Measure(Metric("rouge2", "ROUGE-2", percent=True), of_each(rouge_2)),
        Measure(Metric("rouge_l", "ROUGE-L", percent=True), of_each(rouge_l)),
    ),
    lists=("max_sentences",),
)  # fmt: skip
ANSWER = Judge(
    ("question", "context"), texts, _text_of, word_f1, (Measure(EXACT, of_each(exact_match)), F1),
)  # fmt: skip
_FREE = (Measure(EXACT, of_each(exact_match)), Measure(_SAYS, of_each(contains)), F1)
CHAT = Judge(("messages",), texts, _text_of, word_f1, _FREE, wrap=conversation)
GENERATION = Judge(
    ("prompt", "max_tokens"), texts, _text_of, word_f1, _FREE, lists=("max_tokens",),
    wrap=lambda given: {"max_tokens": MOST_TOKENS, **given},
)  # fmt: skip

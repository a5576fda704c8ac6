"""How much of a text is in another: BLEU, ROUGE and F1 on words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence


def words(text: str) -> list[str]:
    """Words and marks, as they are written."""
    return re.findall(r"\w+|[^\w\s]", text)


def grams(tokens: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    """Every run of so many tokens, and how often."""
    return Counter(tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1))


def bleu(found: Sequence[str], truth: Sequence[str]) -> float:
    """BLEU-4 of a corpus, 0 to 1, one reference a text (Papineni et al. 2002).

    The geometric mean of the shares of 1- to 4-grams that the reference has too, times exp(1 − reference/found) where what
    was found is shorter; unsmoothed, on `words`, upper and lower case apart.
    """
    hits, counts, lengths = [0] * 4, [0] * 4, [0, 0]
    for one, other in zip(found, truth, strict=True):
        has, wants = words(one), words(other)
        lengths[0] += len(has)
        lengths[1] += len(wants)
        for size in range(1, 5):
            mine, theirs = grams(has, size), grams(wants, size)
            hits[size - 1] += sum((mine & theirs).values())
            counts[size - 1] += sum(mine.values())
    if not all(hits):
        return 0.0
    shares = sum(math.log(hit / count) for hit, count in zip(hits, counts, strict=True)) / 4
    return math.exp(shares + min(0.0, 1 - lengths[1] / lengths[0]))


def plain(text: str) -> list[str]:
    """Words without marks and articles, in lower case, as SQuAD compares answers (Rajpurkar et al. 2016)."""
    return [word for word in re.findall(r"\w+", text.lower()) if word not in ("a", "an", "the")]


def f1(found: Sequence[str], truth: Sequence[str]) -> float:
    """The harmonic mean of the share of the found words that are true and of the true that are found, 0 to 1."""
    common = sum((Counter(found) & Counter(truth)).values())
    return 2 * common / (len(found) + len(truth)) if common else 0.0


def rouge(found: Sequence[str], truth: Sequence[str], size: int = 1) -> float:
    """ROUGE-N: F1 of runs of so many words (Lin 2004), of words as `plain` gives them."""
    mine, theirs = grams(found, size), grams(truth, size)
    common = sum((mine & theirs).values())
    return 2 * common / (sum(mine.values()) + sum(theirs.values())) if common else 0.0


def rouge_l(found: Sequence[str], truth: Sequence[str]) -> float:
    """ROUGE-L: F1 of the longest common subsequence (Lin 2004)."""
    lengths = [0] * (len(truth) + 1)  # of the subsequence common with the words read so far
    for word in found:
        before = 0
        for at, other in enumerate(truth, 1):
            before, lengths[at] = lengths[at], before + 1 if word == other else max(lengths[at], lengths[at - 1])
    return 2 * lengths[-1] / (len(found) + len(truth)) if lengths[-1] else 0.0

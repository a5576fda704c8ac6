"""Text as words that can be found, and which words are near to a mistyped one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_PARTS = re.compile(rf"[{_CJK}]+|(?:(?![{_CJK}])[^\W\d_])+|\d+")
_CJK_RUN = re.compile(rf"[{_CJK}]")
SHORTEST_FORGIVEN = 4  # letters of a word that may be mistyped; longer than seven: twice


def plain(text: str) -> str:
    """The text without capitals, accents and variants of width."""
    text = text.casefold()
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def parts(text: str) -> list[str]:
    """Runs of letters, of digits and of Chinese or Japanese signs: ResNet-50 is `resnet`, `50`."""
    return _PARTS.findall(plain(text))


def indexed(text: str) -> list[str]:
    """The words under which a text can be found. Chinese writes no spaces: each sign and each pair of signs is a word."""
    if text.isascii():
        return parts(text)
    found: list[str] = []
    for part in parts(text):
        if _CJK_RUN.match(part):
            found += [*part, *(part[at : at + 2] for at in range(len(part) - 1))]
        else:
            found.append(part)
    return found


def asked(text: str) -> list[str]:
    """The words that somebody looks for: of Chinese the pairs, which a text has in this order only where it has the run."""
    found: list[str] = []
    for part in parts(text):
        if _CJK_RUN.match(part) and len(part) > 2:
            found += [part[at : at + 2] for at in range(len(part) - 1)]
        else:
            found.append(part)
    return list(dict.fromkeys(found))


def most_mistakes(word: str) -> int:
    """How many letters of a word may be wrong: none in numbers, Chinese and short words."""
    if len(word) < SHORTEST_FORGIVEN or word.isdigit() or _CJK_RUN.match(word):
        return 0
    return 1 if len(word) < 8 else 2


def signature(word: str) -> int:
    """64 bits, one or more letters each. A mistake in a word changes two of them at most."""
    bits = 0
    for letter in word:
        bits |= 1 << (ord(letter) & 63)
    return bits


def distances(word: str, others: Sequence[str]) -> NDArray[np.int64]:
    """Letters that were left out, added, changed or swapped with the next, from `word` to each of the others.

    Optimal string alignment, row by row of its table, for all of them at once.
    """
    width = max((len(other) for other in others), default=1)
    letters = np.array(others, dtype=f"<U{width}").view(np.uint32).reshape(len(others), width)
    before = earlier = np.broadcast_to(np.arange(width + 1), (len(others), width + 1))
    for i, letter in enumerate(word, 1):
        row = np.empty((len(others), width + 1), dtype=np.int64)
        row[:, 0] = i
        for j in range(1, width + 1):
            here = letters[:, j - 1]
            row[:, j] = np.minimum(
                before[:, j - 1] + (here != ord(letter)), np.minimum(before[:, j], row[:, j - 1]) + 1
            )
            if i > 1 and j > 1:
                swapped = (here == ord(word[i - 2])) & (letters[:, j - 2] == ord(letter))
                row[:, j] = np.where(swapped, np.minimum(row[:, j], earlier[:, j - 2] + 1), row[:, j])
        earlier, before = before, row
    return before[np.arange(len(others)), [len(other) for other in others]]

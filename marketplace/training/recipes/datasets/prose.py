"""English that ships with Python."""

from __future__ import annotations

import random
import re
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Prose:
    """English text in three parts; no page is in two of them."""

    train: str
    validation: str
    test: str


def pydoc_topics(seed: int) -> Prose:
    """The English of Python's own help pages (pydoc_data), some 240,000 characters; 80 : 10 : 10, by page."""
    from pydoc_data.topics import topics

    # Long pages repeat short ones: a paragraph stays only in the shortest page that has it, or the parts would share text.
    pages, seen = [], set[str]()
    for page in sorted(map(_prose, topics.values()), key=lambda page: (sum(map(len, page)), page)):
        fresh = [paragraph for paragraph in dict.fromkeys(page) if paragraph not in seen]
        seen.update(fresh)
        if fresh:
            pages.append("\n".join(fresh))
    random.Random(seed).shuffle(pages)  # noqa: S311 – a split, not a secret
    ends, total = list(accumulate(map(len, pages))), sum(map(len, pages))
    first, second = bisect(ends, total * 0.8), bisect(ends, total * 0.9)
    return Prose("\n".join(pages[:first]), "\n".join(pages[first:second]), "\n".join(pages[second:]))


# Apostrophes and dashes as keyboards have them; quotes and asterisks only mark code and emphasis.
TYPOGRAPHY = str.maketrans("’‘—–", "''--", '"*“”')


def _prose(page: str) -> list[str]:
    """Paragraphs of prose as single lines: titles, tables, grammars and indented code are left out."""
    kept = []
    for paragraph in re.split(r"\n\s*\n", page):
        lines = paragraph.splitlines()
        if not lines or lines[0].startswith("      ") or re.search(r"::=|\*\*\*|===|---|>>>|\+-", paragraph):
            continue
        text = re.sub(r"\s+", " ", paragraph).strip().translate(TYPOGRAPHY)
        text = text.encode("ascii", "ignore").decode()
        if len(text) > 60 and text[-1] in ".:" and sum(c.isalpha() or c == " " for c in text) > 0.85 * len(text):
            kept.append(text)
    return kept

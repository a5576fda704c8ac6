"""What can be checked of a submission before its file is there: its licence, and whether its card is complete."""

from __future__ import annotations

import re

from django.utils.translation import gettext_noop

from marketplace.publishing.evidence import Found
from marketplace.publishing.models import Status

# Of the SPDX list, those that models come under.
LICENCES = frozenset({
    "0BSD", "AFL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause",
    "BSD-3-Clause", "BSL-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-4.0",
    "CC-BY-ND-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDLA-Permissive-2.0", "ECL-2.0", "EPL-2.0",
    "EUPL-1.2", "GPL-2.0-only", "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.1-only", "LGPL-3.0-only",
    "LGPL-3.0-or-later", "MIT", "MPL-2.0", "MulanPSL-2.0", "NCSA", "ODbL-1.0", "OFL-1.1", "PDDL-1.0", "PostgreSQL",
    "Unlicense", "WTFPL", "Zlib",
})  # fmt: skip
# Section → the words that its heading has, in English or Chinese.
SECTIONS = {
    gettext_noop("what it is for"): r"what it is for|intended use|\buses?\b|purpose|用途",
    gettext_noop("data"): r"\bdata\b|datasets?|training|数据|训练",
    gettext_noop("limits"): r"limit|bias|risks?\b|caveats?|局限|限制|风险",
}
FEWEST = 20  # characters of a section, of Chinese half
TEMPLATE = "## What it is for\n\n\n## Data\n\n\n## Limits\n\n"
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)


def of_licence(name: str) -> Found:
    """Whether there is one, and one that people know."""
    if not name.strip():
        return Found("licence", Status.FAILED, "missing")
    known = name.strip().lower() in {one.lower() for one in LICENCES}
    return Found("licence", Status.PASSED if known else Status.WARNED, "known" if known else "own", figure=name.strip())


def of_card(card: str) -> Found:
    """Whether it has the sections, each with a sentence."""
    parts = _HEADING.split(card)  # what stands before, then heading and text by turns
    found = list(zip(parts[1::2], parts[2::2], strict=True))
    missing, short = [], []
    for section, words in SECTIONS.items():
        texts = [text for heading, text in found if re.search(words, heading, re.IGNORECASE)]
        if not texts:
            missing.append(section)
        elif max(map(_length, texts)) < FEWEST:
            short.append(section)
    if missing or short == list(SECTIONS):
        return Found("card", Status.FAILED, "missing", {"sections": missing or short})
    if short:
        return Found("card", Status.WARNED, "short", {"sections": short})
    return Found("card", Status.PASSED, "whole")


def _length(text: str) -> int:
    return sum(2 if "一" <= letter <= "鿿" else 1 for letter in text.strip())

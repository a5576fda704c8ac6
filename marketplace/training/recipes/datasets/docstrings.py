"""What libraries say about themselves: their documentation's bodies, each with the one-line summary above it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path
from random import Random

from marketplace.tasks import sentences

Summarised = tuple[list[str], str]  # a text's sentences, and its summary
TRAIN, VALIDATION, TEST = ("scipy", "sklearn", "django"), ("keras",), ("numpy",)
LEAST, MOST = 3, 24  # sentences of a text
_DOCSTRING = re.compile(r':[ \t]*\n[ \t]+[rR]?"""(.*?)"""', re.S)
_SECTION = re.compile(r"^(?:[A-Z][\w ]{2,30}\n-{3,}|[A-Z][\w ]{2,30}:\s*$|\.\. |>>>|```|:param|@)", re.M)


@dataclass(frozen=True, slots=True)
class Documentation:
    """Three parts: other packages each, so that no text and no author is in two of them."""

    train: list[Summarised]
    validation: list[Summarised]
    test: list[Summarised]


def docstrings(seed: int, most: int = 2_400) -> Documentation:
    """Docstrings of installed packages, read as text: nothing is imported. At most so many a part, by the seed."""
    parts, seen = [], set[str]()  # packages carry copies of one another's files: a text stays in the last part only
    for packages in (TEST, VALIDATION, TRAIN):
        found = [one for package in packages for one in _of(package)]
        fresh = {" ".join(text): (text, summary) for text, summary in found if " ".join(text) not in seen}
        seen.update(fresh)
        chosen = list(fresh.values())
        Random(seed).shuffle(chosen)  # noqa: S311 – a choice, not a secret
        parts.append(chosen[:most])
    test, validation, train = parts
    return Documentation(train, validation, test)


def _of(package: str) -> list[Summarised]:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    files = sorted(Path(spec.origin).parent.rglob("*.py"))
    texts = (file.read_text(encoding="utf-8", errors="ignore") for file in files if "tests" not in file.parts)
    return [made for text in texts for found in _DOCSTRING.finditer(text) if (made := _split(found.group(1)))]


def _split(docstring: str) -> Summarised | None:
    """The prose and the summary; None where one is missing or too short."""
    summary, _, body = cleandoc(docstring).partition("\n\n")
    head, *others = _SECTION.split(body)
    paragraphs = [_plain(paragraph) for paragraph in re.split(r"\n\s*\n", head)]
    notes = re.search(r"^Notes\n-----\n(.*?)(?=^\w+\n---|\Z)", body, re.M | re.S)
    if notes:
        paragraphs += [_plain(paragraph) for paragraph in re.split(r"\n\s*\n", notes.group(1))]
    prose = [
        text for text in paragraphs if len(text) > 40 and text[-1] in ".:" and "::" not in text and ">>>" not in text
    ]
    text = [one for paragraph in prose for one, _ in sentences.split(paragraph)]
    summary = _plain(summary)
    if not LEAST <= len(text) <= MOST or not 4 <= len(summary.split()) <= 30 or not summary.endswith("."):
        return None
    return text, summary


def _plain(text: str) -> str:
    """One line without the marks of its markup."""
    text = re.sub(r":\w+:`~?([^`<]*)[^`]*`", r"\1", text)
    return re.sub(r"\s+", " ", text.replace("`", "").replace("*", "")).strip()

"""Sentences in many languages: the translations that ship with Django, read as files."""

from __future__ import annotations

import gettext
import random
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from marketplace.training.recipes.datasets.splits import Part, Table

# The folders' names; messages themselves are English.
LANGUAGES = {
    "ar": "Arabic", "bg": "Bulgarian", "zh_Hans": "Chinese", "cs": "Czech", "da": "Danish", "nl": "Dutch", "": "English",
    "fi": "Finnish", "fr": "French", "de": "German", "el": "Greek", "he": "Hebrew", "hu": "Hungarian", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "fa": "Persian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "es": "Spanish", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian",
    "vi": "Vietnamese",
}  # fmt: skip
LEAST_LETTERS = 4  # spaces and digits are none
# %(name)s, {name}, &amp;, <b> and addresses are the same in every language.
_MARKS = re.compile(r"%\(\w+\)\w|%[a-z]|\{[^}]*\}|&\w+;|<[^>]*>|https?:\S+|\S+@\S+|\S+\.(?:com|org)\S*")


def languages(seed: int) -> Table:
    """Some 20,000 sentences and phrases in 27 languages; 80 : 10 : 10 by message: no part has a translation of another's."""
    names, messages = sorted(LANGUAGES.values()), _messages(2)
    order = sorted(messages)
    random.Random(seed).shuffle(order)  # noqa: S311 – a split, not a secret
    first, second = len(order) * 8 // 10, len(order) * 9 // 10

    def part(chosen: list[str]) -> Part:
        rows = [row for message in chosen for row in messages[message]]
        return Part(
            np.asarray([text for text, _ in rows], object),
            np.asarray([names.index(said) for _, said in rows], np.int64),
        )

    return Table(part(order[:first]), part(order[first:second]), part(order[second:]), tuple(names))


@dataclass(frozen=True, slots=True)
class Alike:
    """Groups of texts that mean alike, in three parts; the first text of a group is English."""

    train: tuple[tuple[str, ...], ...]
    validation: tuple[tuple[str, ...], ...]
    test: tuple[tuple[str, ...], ...]


def translations(seed: int) -> Alike:
    """Some 840 messages, each with its translations; of those of three words and more, 100 are for validation, 100 for the test."""
    messages = {message: tuple(text for text, _ in rows) for message, rows in _messages(1).items() if len(rows) > 2}
    order = sorted(messages)
    random.Random(seed).shuffle(order)  # noqa: S311 – a split, not a secret
    kept = [message for message in order if len(message.split()) >= 3][:200]
    train = [message for message in order if message not in set(kept)]
    return Alike(*(tuple(messages[message] for message in part) for part in (train, kept[:100], kept[100:])))


def _messages(words: int) -> dict[str, list[tuple[str, str]]]:
    """By message of so many words and more, its sentences, each with its language's name; one of two messages is the first's."""
    spec = find_spec("django")
    assert spec is not None
    assert spec.origin is not None
    found: dict[str, list[tuple[str, str]]] = {}
    seen = set[tuple[str, str]]()
    for file in sorted(Path(spec.origin).parent.glob("**/locale/*/LC_MESSAGES/*.mo")):
        language = LANGUAGES.get(file.parts[-3])
        if not language:
            continue
        with file.open("rb") as opened:
            catalog: dict[object, str] = vars(gettext.GNUTranslations(opened))["_catalog"]
        for key, translated in catalog.items():  # a message with a plural is a key with each form's number
            message = str(key[0] if isinstance(key, tuple) else key)
            if len(message.split()) < words:  # one word is often the same in several languages
                continue
            for text, said in ((message, "English"), (translated, language)):
                plain = re.sub(r"\s+", " ", _MARKS.sub(" ", text)).strip()
                letters = sum(letter.isalpha() for letter in plain)
                copied = said != "English" and translated == message
                if letters >= LEAST_LETTERS and not copied and (plain.lower(), said) not in seen:
                    seen.add((plain.lower(), said))
                    found.setdefault(message, []).append((plain, said))
    return found

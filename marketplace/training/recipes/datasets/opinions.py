"""Opinions made by a small grammar: who says what of which thing, with negation, emphasis and contrast.

A sentence is a pattern whose places are filled with words of opinion_words.py by chance. What counts as unseen is a
pattern together with its words of opinion (or, where it needs none, with whatever fills it): such a combination is in one
part only, though its words and its pattern may be in all of them.
"""

from __future__ import annotations

import random
import re

import numpy as np

from marketplace.training.recipes.datasets import opinion_words as words
from marketplace.training.recipes.datasets.splits import Part, Table

LABELS = ("negative", "neutral", "positive")
SENTENCES = 12_000
OPPOSITE = {"+": "-", "-": "+"}
_TONES = {"-": 0, "0": 1, "+": 2}


def opinions(seed: int) -> Table:
    """12,000 sentences, a third of each tone; about 80 : 10 : 10, by the combination of pattern and words of opinion."""
    chance = random.Random(seed)  # noqa: S311 – sentences, not secrets
    parts: list[list[tuple[str, int]]] = [[], [], []]
    place: dict[str, int] = {}
    seen = set[str]()
    while len(seen) < SENTENCES:
        text, tone, combination = _sentence(chance)
        if text.lower() not in seen:
            seen.add(text.lower())
            part = place.setdefault(combination, chance.choices((0, 1, 2), (8, 1, 1))[0])
            parts[part].append((text, _TONES[tone]))
    train, validation, test = (
        Part(np.asarray([text for text, _ in rows], object), np.asarray([tone for _, tone in rows], np.int64))
        for rows in parts
    )
    return Table(train, validation, test, LABELS)


def _sentence(chance: random.Random) -> tuple[str, str, str]:
    """A sentence, its tone (+, - or 0), and the combination that it stands for."""
    tone = chance.choice("+-0")
    own = tone if tone != "0" else chance.choice("+-")
    kind = "given" if tone == "0" else chance.choices(("kept", "turned", "given"), (5, 3, 1))[0]
    if kind == "given":
        pattern = chance.choice(words.GIVEN[tone].split("|"))
    else:
        pattern = chance.choice((words.KEPT if kind == "kept" else words.TURNED).split("|"))
        own = tone if kind == "kept" else OPPOSITE[tone]
    said: list[str] = []

    def fill(slot: re.Match[str]) -> str:
        found = _word(slot[1], own, tone, chance)
        if slot[1] in "abnuvm" or kind == "given":
            said.append(found)
        return found

    text = re.sub(r"\{(\w+)\}", fill, pattern)
    combination = "|".join((kind, own, pattern, *said))
    return _dressed(text, chance), tone, combination


def _word(slot: str, own: str, tone: str, chance: random.Random) -> str:
    """What fills a place of a pattern whose words of opinion are `own`."""
    match slot:
        case "a" | "b":
            # In a pattern that turns, what is not turned is of the opposite tone of what is.
            wanted = own if slot == "a" else OPPOSITE[own]
            return chance.choice(_list(words.PLAIN[wanted]) + _list(words.STRONG[wanted]))
        case "n":
            return chance.choice(_list(words.PLAIN[own]))
        case "v" | "u":
            return chance.choice(_list(words.VERBS[own])).split("/")[slot == "u"]
        case "m":
            return chance.choice(_list(words.MIDDLE))
        case "t" | "s":
            return _made_up(chance) if chance.random() < 0.15 else chance.choice(_list(words.THINGS))
        case "very":
            return chance.choice(words.VERY.split())
        case "is":
            return chance.choice(("is", "was", "is", "was", "has been"))
        case "isnt":
            return chance.choice(("isn't", "wasn't", "isnt", "ain't"))
        case "d":
            return chance.choice(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"])
        case _:
            return str(chance.randint(2, 90))


def _list(text: str) -> list[str]:
    return [word.replace("_", " ") for word in text.split()]


def _made_up(chance: random.Random) -> str:
    """A word that means nothing, so that unknown words are taken to say nothing."""
    return "".join(chance.choice("bdfgklmnprstvz") + chance.choice("aeiou") for _ in range(chance.randint(2, 4)))


def _dressed(text: str, chance: random.Random) -> str:
    """The sentence with what people put around it; none of it changes the tone."""
    if chance.random() < 0.2:
        text = f"{chance.choice(words.BEFORE.split('|'))} {text}"
    text = text[0].upper() + text[1:] + chance.choice((".", ".", "!", ""))
    if chance.random() < 0.15:
        aside = chance.choice(words.AFTER.split("|"))
        text = f"{text} {aside}" if chance.random() < 0.5 else f"{aside} {text}"
    return text

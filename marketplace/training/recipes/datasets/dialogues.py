"""Dialogues made by a small grammar: questions about Mercato, small talk, small sums, and what was said before.

A dialogue is up to six questions and their answers. What counts as unseen is the way to ask: each is in one part only. What
is answered (the capitals, the sums, the names of people) is the same in all parts: it is a model's knowledge.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from marketplace.training.recipes.datasets import dialogue_words as words

Dialogue = list[tuple[str, str]]  # what is asked, and the answer
COUNTS = (7_500, 200, 400)  # dialogues of each part
QUESTIONS = (1, 2, 2, 3, 4, 6)
SHARES = {"said": 10, "sum": 4, "look up": 4, "name": 3, "like": 1}  # of what is asked, as it comes
_RECALL = {"name": "my name", "like": "my like"}
_DO, _ABOUT, _ASKING, _TELLING, _BEFORE = (
    frames.split("|") for frames in (words.DO, words.ABOUT, words.ASKING, words.TELLING, words.BEFORE)
)
_NAMES, _LIKED, _DAYS = words.NAMES.split(), words.LIKED.split(), words.DAYS.split()
_CAPITALS, _OPPOSITES = ([pair.split(":") for pair in found.split()] for found in (words.CAPITALS, words.OPPOSITES))


@dataclass(frozen=True, slots=True)
class Dialogues:
    """Three parts, which share no way to ask."""

    train: list[Dialogue]
    validation: list[Dialogue]
    test: list[Dialogue]


def dialogues(seed: int) -> Dialogues:
    """7,500, 200 and 400 dialogues; of the ways to ask for something about 7 : 1 : 2."""
    chance = random.Random(seed)  # noqa: S311 – dialogues, not secrets
    said = {answer: _shared(_ways(ways), chance) for answer, ways in words.SAID.items()}
    asked = {
        kind: _shared([frame.replace("{}", way) for way in ways.split("|") for frame in frames], chance)
        for filled, frames in ((words.ASKED, _ASKING), (words.TOLD, _TELLING))
        for kind, ways in filled.items()
    }
    parts = []
    for part, count in enumerate(COUNTS):
        one = _Part(
            {answer: ways[part] for answer, ways in said.items()},
            {kind: ways[part] for kind, ways in asked.items()},
            chance,
        )
        parts.append([one.dialogue() for _ in range(count)])
    return Dialogues(*parts)


def _ways(given: str) -> list[str]:
    """Every way to ask that the words of one answer stand for."""
    found: list[str] = []
    for one in given.split("|"):
        frames = {">": _DO, "=": _ABOUT}.get(one[0])
        found += [frame.format(one[1:]) for frame in frames] if frames else [one]
    return found


def _shared(ways: Sequence[str], chance: random.Random) -> tuple[list[str], list[str], list[str]]:
    """A tenth for the validation, a fifth for the test, at least one for each; the rest for the training."""
    mixed = chance.sample(ways, len(ways))
    first, second = max(len(ways) // 10, 1), max(len(ways) // 5, 1)
    return mixed[first + second :], mixed[:first], mixed[first : first + second]


class _Part:
    """Makes dialogues of the ways to ask that one part has."""

    def __init__(self, said: Mapping[str, list[str]], asked: Mapping[str, list[str]], chance: random.Random) -> None:
        self._said, self._asked, self._chance = said, asked, chance

    def dialogue(self) -> Dialogue:
        told: dict[str, str] = {}
        made: Dialogue = []
        for _ in range(self._chance.choice(QUESTIONS)):
            (kind,) = self._chance.choices(list(SHARES), list(SHARES.values()))
            # What was told is asked for more often than chance would have it.
            if told and self._chance.random() < 0.3:
                kind = self._chance.choice(list(told))
            question, answer = self._by_kind(kind, told)
            made.append((self._dressed(question), answer))
        return made

    def _by_kind(self, kind: str, told: dict[str, str]) -> tuple[str, str]:
        chance = self._chance
        if kind == "said":
            answer = chance.choice(list(self._said))
            return chance.choice(self._said[answer]), answer
        if kind in _RECALL:
            if kind in told or chance.random() < 0.12:
                return self._way(_RECALL[kind]), _recalled(kind, told.get(kind))
            told[kind] = chance.choice(_NAMES if kind == "name" else _LIKED)
            return self._way(kind, a=told[kind]), _noted(kind, told[kind])
        return self._sum() if kind == "sum" else self._looked_up()

    def _sum(self) -> tuple[str, str]:
        sign, chance = self._chance.choice("+-"), self._chance
        a, b = chance.randint(1, words.MOST_ADDED), chance.randint(1, words.MOST_ADDED)
        if sign == "-":
            a += b
        found = a + b if sign == "+" else a - b
        return self._way(sign, a=str(a), b=str(b)), f"That is {found}."

    def _looked_up(self) -> tuple[str, str]:
        chance = self._chance
        match chance.choice(("capital", "opposite", "after", "unit")):
            case "capital":
                country, city = chance.choice(_CAPITALS)
                return self._way("capital", a=country), f"The capital of {country} is {city}."
            case "opposite":
                pair = chance.choice(_OPPOSITES)
                word, other = pair if chance.random() < 0.5 else pair[::-1]
                return self._way("opposite", a=word), f"The opposite of {word} is {other}."
            case "after":
                at = chance.randrange(7)
                day, following = _DAYS[at], _DAYS[(at + 1) % 7]
                return self._way("after", a=day), f"{following} comes after {day}."
            case _:
                (one, many), size = chance.choice(list(words.UNITS.items()))
                count = chance.randint(1, words.MOST_OF_A_UNIT)
                quantity = f"{count} {one}{'s' if count > 1 else ''}"
                return self._way("unit", a=quantity, b=many), f"That is {count * size} {many}."

    def _way(self, kind: str, **filled: str) -> str:
        return self._chance.choice(self._asked[kind]).format(**filled)

    def _dressed(self, text: str) -> str:
        """As people type: a capital or none, a mark or none, a word before."""
        chance = self._chance
        if chance.random() < 0.15:
            text = chance.choice(_BEFORE) + text
        if chance.random() < 0.3:
            text = text.removesuffix("?")
        return text[0].upper() + text[1:] if chance.random() < 0.6 else text


_Say = Callable[[str], str]
_NOTED: Mapping[str, _Say] = {
    "name": lambda told: f"Nice to meet you, {told}.",
    "like": lambda told: f"Good to know that you like {told}.",
}
_KNOWN: Mapping[str, _Say] = {"name": lambda told: f"Your name is {told}.", "like": lambda told: f"You like {told}."}
_UNKNOWN = {"name": "You have not told me your name yet.", "like": "You have not told me what you like yet."}


def _noted(kind: str, told: str) -> str:
    return _NOTED[kind](told)


def _recalled(kind: str, told: str | None) -> str:
    return _UNKNOWN[kind] if told is None else _KNOWN[kind](told)

"""English sentences with their German translations, both made by one grammar.

A synchronous grammar (Aho and Ullman 1969; Wu 1997): each rule writes both languages at once, so that the pair is right by
construction. German asks for what English has not: gender and case of articles and adjectives, the verb in second place
or at the end of its clause, `kein`, the perfect with `haben` or `sein`, `im` for `in dem`. About 10^8 sentences.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from random import Random

from marketplace.training.recipes.datasets.phrasebook_words import (
    ADJECTIVES,
    HELPERS,
    MODALS,
    MUST_NOT,
    NAMES,
    NOUNS,
    NUMBERS,
    PAST_TIMES,
    PHRASES,
    PRONOUNS,
    TIMES,
    VERBS,
    Noun,
    Verb,
)

Pair = tuple[str, str]
PLURAL, HELD_OUT = "p", 8
ARTICLES = {  # endings of der and dieser; "der" itself is irregular
    "nom": {"m": "er", "f": "e", "n": "es", "p": "e"},
    "acc": {"m": "en", "f": "e", "n": "es", "p": "e"},
    "dat": {"m": "em", "f": "er", "n": "em", "p": "en"},
}
THE = {
    "nom": {"m": "der", "f": "die", "n": "das", "p": "die"},
    "acc": {"m": "den", "f": "die", "n": "das", "p": "die"},
    "dat": {"m": "dem", "f": "der", "n": "dem", "p": "den"},
}
BE = (("am", "bin"), ("are", "bist"), ("is", "ist"), ("are", "sind"))
WAS = (("was", "war"), ("were", "warst"), ("was", "war"), ("were", "waren"))
PLACES = ("house", "garden", "city", "school", "room", "kitchen", "village", "car")


@dataclass(frozen=True, slots=True)
class Pairs:
    """Three parts; every pair of the test has two words that stand together nowhere in the other parts."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]


@dataclass(frozen=True, slots=True)
class _Phrase:
    """Something in both languages. `person`: its column in the tables of verbs."""

    english: str
    german: str
    person: int = 2
    indefinite: bool = False  # negated by `kein`
    pronoun: bool = False
    kind: str = "person"
    new: bool = False  # holds a combination that is kept for the test


def phrasebook(seed: int, train: int = 20_000, test: int = 600) -> Pairs:
    """Pairs by the seed. An adjective with a noun, or a verb with an object, of a held-out eighth is in the test only.

    The training split also has everyday phrases, each many times: no rule makes them.
    """
    random, seen = Random(seed), set[str]()  # noqa: S311 – sentences, not secrets
    known: list[Pair] = []
    fresh: list[Pair] = []
    while len(known) < train + test or len(fresh) < test:
        made = _sentence(random)
        if made.english in seen:
            continue
        seen.add(made.english)
        (fresh if made.new else known).append((made.english, made.german))
    said = [_finished(random, _Phrase(*pair), "" if pair[0].endswith("?") else "!") for pair in PHRASES * 30]
    return Pairs(known[test : train + test] + [(one.english, one.german) for one in said], known[:test], fresh[:test])


def _held_out(*words: str) -> bool:
    return zlib.crc32(" ".join(words).encode()) % HELD_OUT == 0


def _sentence(random: Random) -> _Phrase:
    kind = random.random()
    if kind < 0.55:
        return _finished(random, _statement(random, "second"), ".")
    if kind < 0.7:
        return _finished(random, _statement(random, "first"), "?")
    if kind < 0.8:
        return _finished(random, _wrapped(random), ".")
    return _copula(random)


def _finished(random: Random, made: _Phrase, mark: str) -> _Phrase:
    """With a capital in front and a mark at the end, which people leave out at times."""
    mark = mark if mark == "?" or random.random() < 0.9 else ""
    english, german = (text[0].upper() + text[1:] + mark for text in (made.english, made.german))
    return replace(made, english=english, german=german)


def _wrapped(random: Random) -> _Phrase:
    """A clause inside another: its verb goes to the end."""
    english, german = random.choice(
        (("I think", "ich glaube"), ("I know", "ich weiß"), ("he says", "er sagt"), ("she says", "sie sagt"), ("we hope", "wir hoffen"))
    )  # fmt: skip
    inner = _statement(random, "last")
    return replace(inner, english=f"{english} that {inner.english}", german=f"{german}, dass {inner.german}")


def _statement(random: Random, verb_place: str) -> _Phrase:
    """Who does what, when and where. `verb_place`: first in questions, last in clauses, else second."""
    subject, verb = _subject(random), random.choice(VERBS)
    tense = random.choice(("present", "present", "past", "modal"))
    negated = random.random() < 0.25
    thing = _object(random, verb) if verb.takes else None
    place = _place(random) if (not verb.takes or random.random() < 0.08) and random.random() < 0.7 else None
    times = PAST_TIMES if tense == "past" else TIMES
    time = random.choice([*times.items()]) if random.random() < 0.45 else None
    early = time is not None and verb_place == "second" and random.random() < 0.5

    finite, late = _german_verb(random, verb, subject.person, tense, negated)
    english_verb = _english_verb(verb, subject.person, finite[0], tense, negated)
    if verb_place == "first":
        words = [*_asked(verb, subject, finite[0], tense, negated)]
    else:
        words = [subject.english, english_verb]
    words += [part.english for part in (thing, place) if part]
    if time:
        words = [time[0] + random.choice(("", ",")), *words] if early else [*words, time[0]]

    middle = [thing.german] if thing and thing.pronoun else []
    middle += [time[1]] if time and not early else []
    no = negated and thing is not None and thing.indefinite
    middle += [("k" if no else "") + thing.german] if thing and not thing.pronoun else []
    middle += ["nicht"] if negated and not no else []
    middle += [place.german] if place else []
    late_words = [late] if late else []
    said = finite[1]
    german = {
        "second": [time[1], said, subject.german] if early and time else [subject.german, said],
        "first": [said, subject.german],
        "last": [subject.german],
    }[verb_place] + middle + late_words + ([said] if verb_place == "last" else [])  # fmt: skip
    new = any(part.new for part in (subject, thing, place) if part)
    return _Phrase(" ".join(words), " ".join(german), new=new)


def _german_verb(random: Random, verb: Verb, person: int, tense: str, negated: bool) -> tuple[tuple[str, str], str]:
    """The modal of both languages, or nothing and the finite verb; and what waits for the end of the clause."""
    forms = verb.german
    infinitive = forms[3]
    if tense == "past":
        return ("", HELPERS[verb.helper][person]), forms[4]
    if tense == "modal":
        modal, conjugated = random.choice([*MODALS.items()])
        if modal == "must" and negated:
            conjugated = MUST_NOT
        return (modal, conjugated[person]), infinitive
    return ("", forms[person]), ""


def _english_verb(verb: Verb, person: int, modal: str, tense: str, negated: bool) -> str:
    no = " not" if negated else ""
    if modal:
        return f"{modal}{no} {verb.english}"
    if tense == "past":
        return f"did not {verb.english}" if negated else verb.past
    if negated:
        return f"{'does' if person == 2 else 'do'} not {verb.english}"
    return verb.third if person == 2 else verb.english


def _asked(verb: Verb, subject: _Phrase, modal: str, tense: str, negated: bool) -> list[str]:
    first = modal or ("did" if tense == "past" else "does" if subject.person == 2 else "do")
    return [first, subject.english, *(["not"] if negated else []), verb.english]


def _copula(random: Random) -> _Phrase:
    """What something is like, what somebody is, where something is."""
    kind = random.random()
    subject = _subject(random) if kind < 0.4 else _noun_phrase(random, "person animal text food thing place", "nom")
    (english, german), verb = random.choice((BE, BE, WAS))[subject.person], subject.person
    if kind > 0.9:
        where = replace(subject, english=f"where {english} {subject.english}", german=f"wo {german} {subject.german}")
        return _finished(random, where, "?")
    if kind < 0.1 and verb == 2:
        is_what = _noun_phrase(random, "person", "nom", among=tuple(n.english for n in NOUNS if n.kind == "person"))
        english_end, german_end, new = is_what.english, is_what.german, is_what.new
        subject = replace(subject, new=subject.new or new)
    else:
        adjective, its_german = random.choice(_adjectives(subject.kind))
        degree = random.choice((("", ""), ("", ""), ("very ", "sehr "), ("too ", "zu ")))
        english_end, german_end = degree[0] + adjective, degree[1] + its_german
    if kind < 0.1 or random.random() < 0.7:
        no = ("", "")
    else:
        no = ("not ", "nicht ")
    ends = f"{no[0]}{english_end}", f"{no[1]}{german_end}"
    if random.random() < 0.2:
        asked = f"{english} {subject.english} {ends[0]}", f"{german} {subject.german} {ends[1]}"
        return _finished(random, replace(subject, english=asked[0], german=asked[1]), "?")
    said = f"{subject.english} {english} {ends[0]}", f"{subject.german} {german} {ends[1]}"
    return _finished(random, replace(subject, english=said[0], german=said[1]), ".")


def _adjectives(kind: str) -> list[tuple[str, str]]:
    return [(english, german) for english, (german, of) in ADJECTIVES.items() if kind in of.split()]


def _subject(random: Random) -> _Phrase:
    kind = random.random()
    if kind < 0.4:
        english, german, person, _, _ = random.choice(PRONOUNS)
        return _Phrase(english, german, person)
    if kind < 0.55:
        name = random.choice(NAMES)
        return _Phrase(name, name)
    return _noun_phrase(random, "person animal", "nom")


def _object(random: Random, verb: Verb) -> _Phrase:
    if "person" in verb.takes and random.random() < 0.25:
        if random.random() < 0.4:
            name = random.choice(NAMES)
            return _Phrase(name, name)
        _, _, _, english, german = random.choice(PRONOUNS)
        return _Phrase(english, german, pronoun=True)
    return _noun_phrase(random, verb.takes, "acc", verb.english)


def _place(random: Random) -> _Phrase:
    made = _noun_phrase(random, "", "dat", among=PLACES)
    german = f"in {made.german}"
    if german.startswith("in dem "):
        german = "im " + german.removeprefix("in dem ")
    return replace(made, english=f"in {made.english}", german=german)


def _noun_phrase(random: Random, kinds: str, case: str, verb: str = "", among: tuple[str, ...] = ()) -> _Phrase:
    """An article or number, perhaps an adjective, and a noun: all agree in German."""
    noun: Noun = random.choice([n for n in NOUNS if (n.english in among if among else n.kind in kinds.split())])
    plural = random.random() < (0.1 if among else 0.3)
    gender = PLURAL if plural else noun.gender
    article = random.choice(("the", "the", "this", "my", "your", "a"))
    indefinite = False
    if article == "the":
        english, german, ending = "the", THE[case][gender], _weak(case, gender)
    elif article == "this":
        english, german, ending = "these" if plural else "this", "dies" + ARTICLES[case][gender], _weak(case, gender)
    elif article in ("my", "your"):
        stem = {"my": "mein", "your": "dein"}[article]
        english, german, ending = article, stem + _short(case, gender), _mixed(case, gender)
    elif plural:
        number = str(random.randint(13, 999)) if random.random() < 0.3 else random.choice([*NUMBERS])
        english, german = number, NUMBERS.get(number, number)
        ending = "en" if case == "dat" else "e"
    else:
        english, german, ending = "a", "ein" + _short(case, gender), _mixed(case, gender)
        indefinite = True
    new = bool(verb) and _held_out(verb, noun.english)
    named = noun.german_plural if plural else noun.german
    if plural and case == "dat" and named[-1] not in "ns":
        named += "n"
    if random.random() < 0.4:
        adjective, its_german = random.choice(_adjectives(noun.kind))
        new = new or _held_out(adjective, noun.english)
        english, german = f"{english} {adjective}", f"{german} {its_german.removesuffix('e')}{ending}"
    english = f"{english} {noun.plural if plural else noun.english}"
    if english.startswith("a ") and english[2] in "aeiou":
        english = "an " + english[2:]
    return _Phrase(english, f"{german} {named}", 3 if plural else 2, indefinite, kind=noun.kind, new=new)


def _short(case: str, gender: str) -> str:
    """What ein and mein end in: as dieser, but for nothing in ein Mann, ein Kind."""
    if gender == "n" and case != "dat" or (gender, case) == ("m", "nom"):
        return ""
    return ARTICLES[case][gender]


def _weak(case: str, gender: str) -> str:
    """What an adjective ends in after der and dieser."""
    return "e" if gender != PLURAL and (case == "nom" or case == "acc" and gender != "m") else "en"


def _mixed(case: str, gender: str) -> str:
    """What an adjective ends in after ein and mein."""
    if gender == PLURAL or case == "dat" or (case, gender) == ("acc", "m"):
        return "en"
    return ARTICLES[case][gender]

"""Short paragraphs of facts about people who do not exist, with questions and where their answers stand.

A paragraph tells the same kinds of facts about several people, so that only one of them is the answer. The last fifth of
all names, and a quarter of all ways to say a fact together with a way to ask for it, are in the test split only.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from random import Random
from string import Formatter


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a context; the answer is `context[start:end]`."""

    question: str
    context: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Three parts."""

    train: list[Asked]
    validation: list[Asked]
    test: list[Asked]


_GIVEN = (
    "Anna|Marek|Lucia|Tomas|Ingrid|Pavel|Noor|Samir|Elena|Victor|Mei|Jonas|Aisha|Diego|Freya|Omar|Clara|Hugo|Leila|Anton|Rosa|"
    "Felix|Hanna|Bruno|Zoe|Emil|Sofia|Karl|Amira|Leo|Yara|Nils|Petra|Ravi|Selma|Otto|Tessa|Ivan|Maya|Oscar"
)  # fmt: skip
_FAMILY = (
    "Novak|Lindqvist|Moreau|Tanaka|Okafor|Berger|Castillo|Haddad|Larsen|Petrov|Silva|Kowalski|Weber|Rossi|Dubois|Nakamura|"
    "Mensah|Fischer|Alvarez|Rahman|Jensen|Ivanov|Costa|Zielinski"
)  # fmt: skip
_CITIES = (
    "Lisbon|Turin|Oslo|Ghent|Porto|Bergen|Lyon|Graz|Tartu|Split|Malmo|Seville|Riga|Bilbao|Cork|Leipzig|Zagreb|Tampere|Brno|"
    "Utrecht|Basel|Krakow|Aarhus|Nantes|Verona|Dresden|Vilnius|Gdansk|Salzburg|Valencia"
)  # fmt: skip
_FIRMS = (
    "Northwind|Harbour Foods|Blue Lantern|Vectora|Silver Birch Press|Quantia|Redstone Mills|Ostara Labs|Green Anchor|Lumen Works|"
    "Falcon Freight|Oakridge Bank|Tidewater Energy|Kestrel Motors|Maple Clinic|Orbit Studios|Juniper Books|Helix Design|"
    "Summit Bakery|Polar Telecom|Cobalt Games"
)  # fmt: skip
_VALUES = {
    "job": "nurse|teacher|baker|pilot|carpenter|software engineer|lawyer|gardener|chemist|tailor|bus driver|surgeon|translator|designer",
    "hobby": "chess|tennis|painting|hiking|sailing|photography|swimming|pottery|dancing|table tennis|climbing|gardening",
    "food": "pancakes|lentil soup|sushi|apple pie|dumplings|fried rice|olives|roast potatoes|pasta|mango|cheese|noodles",
    "instrument": "piano|violin|cello|drums|trumpet|flute|harp|bass guitar|clarinet|organ",
    "language": "Swahili|Polish|Mandarin|Finnish|Arabic|Dutch|Hindi|Greek|Turkish|Welsh|Danish|Korean",
    "pet": "parrot|tortoise|rabbit|hamster|goldfish|pony|black cat|brown dog|canary|gecko",
}
# Ways to say a fact; {name}: whom it is about, or "He" or "She" in a sentence that follows one with the name.
_SAID = (
    "{name} was born in {birthplace} in {birthyear}.",
    "{name}, born in {birthyear}, grew up in {birthplace}.",
    "In {birthyear}, {name} came into the world in {birthplace}.",
    "{name} works as a {job} at {employer}.",
    "{name} is a {job} and has been with {employer} since {since}.",
    "{employer} hired {name} as a {job} in {since}.",
    "{name} joined {employer} in {since}.",
    "{name} lives in {home}.",
    "Today {name} lives in {home} with a {pet}.",
    "{name} moved to {home} in {moved}.",
    "In {moved}, {name} left for {home}.",
    "{name} speaks {language} and plays the {instrument}.",
    "{name} learned {language} in {birthplace}.",
    "{name} has played the {instrument} for {years} years.",
    "The {instrument} is what {name} plays on weekends.",
    "{name} likes {hobby} and eats {food}.",
    "{name} loves {food} more than anything.",
    "On Sundays {name} goes in for {hobby}.",
    "{name} owns a {pet}.",
    "{name} founded {firm} in {founded}.",
    "{firm} was founded by {name} in {founded}.",
)
# Ways to ask for each: about the person, and where the fact is asked back, for the person.
_ASKED = {
    "birthplace": ("Where was {name} born?", "In which city was {name} born?", "What is the birthplace of {name}?", "Where did {name} grow up?"),
    "birthyear": ("When was {name} born?", "In which year was {name} born?", "What year was {name} born in?"),
    "job": ("What is the job of {name}?", "What does {name} work as?", "What is {name}'s profession?", "What does {name} do for a living?"),
    "employer": ("Where does {name} work?", "Who employs {name}?", "Which company does {name} work for?"),
    "since": ("When did {name} join {employer}?", "Since when has {name} been with {employer}?", "When was {name} hired by {employer}?"),
    "home": ("Where does {name} live?", "In which city does {name} live now?", "Where is {name}'s home?"),
    "moved": ("When did {name} move to {home}?", "In which year did {name} go to {home}?"),
    "language": ("Which language does {name} speak?", "What language did {name} learn?", "What does {name} speak?"),
    "instrument": ("Which instrument does {name} play?", "What does {name} play?", "What instrument is played by {name}?"),
    "years": ("How many years has {name} played the {instrument}?", "How long has {name} played the {instrument}?"),
    "hobby": ("What is {name}'s hobby?", "What does {name} do in free time?", "Which hobby does {name} have?"),
    "food": ("What does {name} eat?", "What is {name}'s favourite food?", "Which food does {name} like?"),
    "pet": ("Which pet does {name} have?", "What animal does {name} own?", "What pet does {name} keep?"),
    "firm": ("What did {name} found?", "Which company did {name} found?"),
    "founded": ("When was {firm} founded?", "In which year did {name} found {firm}?", "What year was {firm} started?"),
}  # fmt: skip
_BACK = {
    "birthplace": ("Who was born in {birthplace}?", "Who comes from {birthplace}?"),
    "employer": ("Who works at {employer}?", "Who works for {employer}?"),
    "home": ("Who lives in {home}?", "Who moved to {home}?"),
    "language": ("Who speaks {language}?",),
    "instrument": ("Who plays the {instrument}?", "Who can play the {instrument}?"),
    "food": ("Who eats {food}?", "Who likes {food}?"),
    "pet": ("Who has a {pet}?", "Who owns a {pet}?"),
    "firm": ("Who founded {firm}?", "Who is the founder of {firm}?", "By whom was {firm} founded?"),
}
_FILLERS = (
    "The weather was mild that year.", "Many people remember it well.", "Nobody expected this.", "The two have never met.",
    "They met at a conference.", "It was a quiet time.",
)  # fmt: skip
HELD_OUT = 4
MOST_CHARACTERS = 380  # of a paragraph


def facts(seed: int, train: int = 6_000, test: int = 600) -> Facts:
    """Questions by the seed: each about a paragraph of its own."""
    random = Random(seed)  # noqa: S311 – paragraphs, not secrets
    known = _questions(random, train + test, unseen=False)
    return Facts(known[test:], known[:test], _questions(random, test, unseen=True))


def names() -> frozenset[str]:
    """Every word that a fact is about, in lower case: none is known to the network."""
    values = "|".join((*_VALUES.values(), _GIVEN, _FAMILY, _CITIES, _FIRMS))
    return frozenset(values.lower().replace("|", " ").split())


def _questions(random: Random, count: int, unseen: bool) -> list[Asked]:
    found: list[Asked] = []
    while len(found) < count:
        made = _paragraph(random, unseen)
        if made:
            found.append(made)
    return found


def _part(texts: str, unseen: bool) -> list[str]:
    """The names that the test has, or those that the other parts have."""
    all_of = texts.split("|")
    cut = len(all_of) * 4 // 5
    return all_of[cut:] if unseen else all_of[:cut]


def _paragraph(random: Random, unseen: bool) -> Asked | None:
    """A paragraph about two or three people, and a question; None where the way to say and to ask are of the other part."""
    people = random.sample(range(1_000_000), random.choice((2, 2, 3)))
    given = random.sample(_part(_GIVEN, unseen), len(people))
    ways = random.sample(_SAID, random.choice((1, 2, 2)))
    sentences: list[tuple[str, dict[str, str], str]] = []
    for name in given:
        full = f"{name} {random.choice(_part(_FAMILY, unseen))}" if random.random() < 0.5 else name
        values = _values(random, unseen)
        own = random.sample(ways, len(ways)) if random.random() < 0.7 else random.sample(_SAID, len(ways))
        for at, way in enumerate(own):
            later = at > 0 and way.startswith("{name}") and random.random() < 0.6
            sentences.append((way, {**values, "name": full}, random.choice(("He", "She")) if later else full))
        if random.random() < 0.15:
            sentences.append((random.choice(_FILLERS), {}, ""))
    asked_at = random.choice([at for at, (_, values, _) in enumerate(sentences) if values])
    way, values, said = sentences[asked_at]
    slots = [slot for _, slot, _, _ in Formatter().parse(way) if slot and slot != "name"]
    slot = random.choice(slots)
    back = slot in _BACK and said == values["name"] and random.random() < 0.4
    question = random.choice(_BACK[slot] if back else _ASKED[slot])
    if (zlib.crc32(f"{way} {question}".encode()) % HELD_OUT == 0) != unseen:
        return None
    context = start = ""
    for at, (form, its, subject) in enumerate(sentences):
        if at == asked_at:
            start = context + form[: form.index("{name}" if back else f"{{{slot}}}")].format(**{**its, "name": subject})
        context += form.format(**{**its, "name": subject}) + " "
    if len(context) > MOST_CHARACTERS:
        return None
    for thing in (slot if back else "", "firm" if "{firm}" in question and "{name}" not in question else ""):
        if thing and sum(f" {values[thing]}" in f" {form.format(**its)}" for form, its, _ in sentences if its) > 1:
            return None  # two people are an answer
    asks = values if back or random.random() < 0.5 else {**values, "name": values["name"].split()[0]}
    answer = values["name"] if back else values[slot]
    return Asked(question.format(**asks), context.strip(), len(start), len(start) + len(answer))


def _values(random: Random, unseen: bool) -> dict[str, str]:
    cities, firms = (random.sample(_part(texts, unseen), 2) for texts in (_CITIES, _FIRMS))
    found = {name: random.choice(_part(values, unseen)) for name, values in _VALUES.items()}
    years = {name: str(random.randint(1950, 2024)) for name in ("birthyear", "since", "moved", "founded")}
    return {
        **found, **years, "birthplace": cities[0], "home": cities[1], "employer": firms[0], "firm": firms[1],
        "years": str(random.randint(3, 40)),
    }  # fmt: skip

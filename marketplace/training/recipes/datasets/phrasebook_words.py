"""The words of the phrasebook, English and German."""

from __future__ import annotations

from typing import NamedTuple


class Noun(NamedTuple):
    """`gender`: m, f or n. `kind`: what it can be; see VERBS and PLACES."""

    english: str
    plural: str
    german: str
    gender: str
    german_plural: str
    kind: str


class Verb(NamedTuple):
    """`german`: I, you, he, we, to, participle. `takes`: kinds of objects; empty where there is none."""

    english: str
    third: str
    past: str
    german: tuple[str, str, str, str, str]
    takes: str
    helper: str = "haben"


NOUNS = tuple(
    Noun(*line.split())
    for line in """
man men Mann m Männer person
woman women Frau f Frauen person
child children Kind n Kinder person
girl girls Mädchen n Mädchen person
teacher teachers Lehrer m Lehrer person
friend friends Freund m Freunde person
doctor doctors Arzt m Ärzte person
sister sisters Schwester f Schwestern person
brother brothers Bruder m Brüder person
dog dogs Hund m Hunde animal
cat cats Katze f Katzen animal
horse horses Pferd n Pferde animal
bird birds Vogel m Vögel animal
mouse mice Maus f Mäuse animal
book books Buch n Bücher text
letter letters Brief m Briefe text
newspaper newspapers Zeitung f Zeitungen text
story stories Geschichte f Geschichten text
apple apples Apfel m Äpfel food
egg eggs Ei n Eier food
cake cakes Kuchen m Kuchen food
soup soups Suppe f Suppen food
car cars Auto n Autos thing
table tables Tisch m Tische thing
lamp lamps Lampe f Lampen thing
chair chairs Stuhl m Stühle thing
picture pictures Bild n Bilder thing
key keys Schlüssel m Schlüssel thing
bag bags Tasche f Taschen thing
computer computers Computer m Computer thing
house houses Haus n Häuser place
garden gardens Garten m Gärten place
city cities Stadt f Städte place
school schools Schule f Schulen place
room rooms Zimmer n Zimmer place
kitchen kitchens Küche f Küchen place
village villages Dorf n Dörfer place
""".strip().splitlines()
)
_ANY = "person animal text food thing place"
_ALIVE, _LIFELESS = "person animal", "text food thing place"
# English → German, and what it is said of.
ADJECTIVES = {
    "old": ("alt", _ANY), "big": ("groß", _ANY), "small": ("klein", _ANY), "beautiful": ("schön", _ANY), "good": ("gut", _ANY),
    "bad": ("schlecht", _ANY), "quiet": ("ruhig", "person animal thing place"), "young": ("jung", _ALIVE), "clever": ("klug", _ALIVE),
    "happy": ("glücklich", _ALIVE), "tired": ("müde", _ALIVE), "friendly": ("freundlich", _ALIVE),
    "new": ("neu", _LIFELESS), "cheap": ("billig", _LIFELESS), "heavy": ("schwer", "animal text thing"),
    "red": ("rot", "animal food thing place"), "blue": ("blau", "animal thing place"), "green": ("grün", "animal food thing place"),
    "white": ("weiß", "animal food thing place"), "black": ("schwarz", "animal thing place"),
}  # fmt: skip
VERBS = (
    Verb("see", "sees", "saw", ("sehe", "siehst", "sieht", "sehen", "gesehen"), _ANY),
    Verb("find", "finds", "found", ("finde", "findest", "findet", "finden", "gefunden"), _ANY),
    Verb("need", "needs", "needed", ("brauche", "brauchst", "braucht", "brauchen", "gebraucht"), _ANY),
    Verb("love", "loves", "loved", ("liebe", "liebst", "liebt", "lieben", "geliebt"), _ANY),
    Verb("paint", "paints", "painted", ("male", "malst", "malt", "malen", "gemalt"), _ANY),
    Verb("know", "knows", "knew", ("kenne", "kennst", "kennt", "kennen", "gekannt"), "person place text"),
    Verb("visit", "visits", "visited", ("besuche", "besuchst", "besucht", "besuchen", "besucht"), "person place"),
    Verb("support", "supports", "supported", ("unterstütze", "unterstützt", "unterstützt", "unterstützen", "unterstützt"), "person"),
    Verb("buy", "buys", "bought", ("kaufe", "kaufst", "kauft", "kaufen", "gekauft"), "animal text food thing place"),
    Verb("sell", "sells", "sold", ("verkaufe", "verkaufst", "verkauft", "verkaufen", "verkauft"), "animal text food thing"),
    Verb("bring", "brings", "brought", ("bringe", "bringst", "bringt", "bringen", "gebracht"), "animal text food thing"),
    Verb("have", "has", "had", ("habe", "hast", "hat", "haben", "gehabt"), "animal text food thing"),
    Verb("read", "reads", "read", ("lese", "liest", "liest", "lesen", "gelesen"), "text"),
    Verb("write", "writes", "wrote", ("schreibe", "schreibst", "schreibt", "schreiben", "geschrieben"), "text"),
    Verb("eat", "eats", "ate", ("esse", "isst", "isst", "essen", "gegessen"), "food"),
    Verb("cook", "cooks", "cooked", ("koche", "kochst", "kocht", "kochen", "gekocht"), "food"),
    Verb("repair", "repairs", "repaired", ("repariere", "reparierst", "repariert", "reparieren", "repariert"), "thing"),
    Verb("sleep", "sleeps", "slept", ("schlafe", "schläfst", "schläft", "schlafen", "geschlafen"), ""),
    Verb("work", "works", "worked", ("arbeite", "arbeitest", "arbeitet", "arbeiten", "gearbeitet"), ""),
    Verb("play", "plays", "played", ("spiele", "spielst", "spielt", "spielen", "gespielt"), ""),
    Verb("wait", "waits", "waited", ("warte", "wartest", "wartet", "warten", "gewartet"), ""),
    Verb("sing", "sings", "sang", ("singe", "singst", "singt", "singen", "gesungen"), ""),
    Verb("laugh", "laughs", "laughed", ("lache", "lachst", "lacht", "lachen", "gelacht"), ""),
    Verb("stay", "stays", "stayed", ("bleibe", "bleibst", "bleibt", "bleiben", "geblieben"), "", "sein"),
)  # fmt: skip
MODALS = {
    "can": ("kann", "kannst", "kann", "können"),
    "must": ("muss", "musst", "muss", "müssen"),
    "should": ("soll", "sollst", "soll", "sollen"),
}
MUST_NOT = ("darf", "darfst", "darf", "dürfen")
HELPERS = {"haben": ("habe", "hast", "hat", "haben"), "sein": ("bin", "bist", "ist", "sind")}
# English subject, German subject and its place in the tables of verbs; object, German object.
PRONOUNS = (
    ("I", "ich", 0, "me", "mich"),
    ("you", "du", 1, "you", "dich"),
    ("he", "er", 2, "him", "ihn"),
    ("she", "sie", 2, "her", "sie"),
    ("we", "wir", 3, "us", "uns"),
    ("they", "sie", 3, "them", "sie"),
)
# None of them is in the vocabulary: they teach the network to carry over what it does not know.
NAMES = ("Anna", "Peter", "Maria", "Thomas", "Laura", "Felix", "Julia", "Max", "Sophie", "Paul", "Emma", "David")
TIMES = {
    "today": "heute",
    "now": "jetzt",
    "often": "oft",
    "always": "immer",
    "every day": "jeden Tag",
    "this evening": "heute Abend",
    "on Monday": "am Montag",
    "on Friday": "am Freitag",
    "on Sunday": "am Sonntag",
    "in summer": "im Sommer",
    "in winter": "im Winter",
}
PAST_TIMES = {
    "yesterday": "gestern",
    "last week": "letzte Woche",
    "last year": "letztes Jahr",
    "on Monday": "am Montag",
    "on Friday": "am Freitag",
    "in summer": "im Sommer",
}
NUMBERS = {
    "two": "zwei", "three": "drei", "four": "vier", "five": "fünf", "six": "sechs", "seven": "sieben", "eight": "acht",
    "nine": "neun", "ten": "zehn", "twelve": "zwölf",
}  # fmt: skip
PHRASES = (
    ("hello", "hallo"), ("thank you", "danke"), ("good morning", "guten Morgen"), ("good evening", "guten Abend"),
    ("good night", "gute Nacht"), ("how are you?", "wie geht es dir?"), ("I am well", "es geht mir gut"), ("yes", "ja"),
    ("no", "nein"), ("please", "bitte"), ("goodbye", "auf Wiedersehen"), ("I love you", "ich liebe dich"),
    ("where are you?", "wo bist du?"), ("what is this?", "was ist das?"), ("who are you?", "wer bist du?"),
)  # fmt: skip

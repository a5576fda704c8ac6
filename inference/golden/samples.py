"""A few examples of each task to begin with: they show the form of a file, and models that every installation may have."""

from __future__ import annotations

import base64
import csv
import importlib.util
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from PIL import Image

from marketplace.training.samples import sample as table

Row = dict[str, Any]
FORMS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
_LANGUAGES = (
    ("Where is the nearest railway station?", "English", "short"), ("Wo ist der nächste Bahnhof?", "German", "short"),
    ("Où est la gare la plus proche ?", "French", "short"), ("¿Dónde está la estación más cercana?", "Spanish", "short"),
    ("Dov'è la stazione più vicina?", "Italian", "short"),
    ("Please check the connection and try again in a few minutes.", "English", "long"),
    ("Bitte prüfen Sie die Verbindung und versuchen Sie es in einigen Minuten erneut.", "German", "long"),
    ("Veuillez vérifier la connexion et réessayer dans quelques minutes.", "French", "long"),
    ("Compruebe la conexión e inténtelo de nuevo en unos minutos.", "Spanish", "long"),
    ("Controllare la connessione e riprovare tra qualche minuto.", "Italian", "long"),
)  # fmt: skip
_TONES = (
    ("A wonderful film, I loved every minute.", "positive"), ("The food was cold and the waiter was rude.", "negative"),
    ("Great value, it works perfectly.", "positive"), ("It broke after two days, a waste of money.", "negative"),
    ("The staff were friendly and helpful.", "positive"), ("Boring, slow and far too long.", "negative"),
)  # fmt: skip
_SENTENCES = (
    ("The house is old.", "Das Haus ist alt."), ("The man sees the dog.", "Der Mann sieht den Hund."),
    ("The woman buys a book.", "Die Frau kauft ein Buch."), ("The children are not tired.", "Die Kinder sind nicht müde."),
)  # fmt: skip
_ARTICLES = (
    ("It rained all day. The match was cancelled. Tickets stay valid.", "The match was cancelled."),
    ("The library opens at nine. It is closed on Mondays. A café is in the hall.", "The library opens at nine."),
)  # fmt: skip
_QUESTIONS = (
    ("Where does Greta live?", "Greta lives in Trieste. Aldo lives in Genoa.", ["Trieste"]),
    ("Where does Aldo live?", "Greta lives in Trieste. Aldo lives in Genoa.", ["Genoa"]),
    ("When was the bridge built?", "The bridge was built in 1894 and is 240 metres long.", ["1894", "in 1894"]),
)  # fmt: skip
_ASKED = (
    ("What is the capital of France? Answer in one word.", "Paris", "facts"),
    ("What is 12 times 12? Answer with the number alone.", "144", "numbers"),
    ("Which planet is the largest of the solar system? Answer in one word.", "Jupiter", "facts"),
    ("How many days has a leap year? Answer with the number alone.", "366", "numbers"),
)  # fmt: skip
_ALIKE = (
    ("Please enter a valid email address.", "Bitte geben Sie eine gültige E-Mail-Adresse ein."),
    ("Your password was changed.", "Ihr Passwort wurde geändert."), ("The file was not found.", "Die Datei wurde nicht gefunden."),
    ("This field is required.", "Dieses Feld ist zwingend erforderlich."),
)  # fmt: skip


@cache
def of(task: str) -> tuple[Row, ...]:
    """The task's examples as a line of JSON has them. Raises KeyError."""
    rows: list[Row]
    match task:
        case "text-classification":
            rows = [{"input": t, "expected": e, "slices": {"length": s}} for t, e, s in _LANGUAGES]
        case "sentiment-analysis":
            rows = [{"input": t, "expected": e} for t, e in _TONES]
        case "translation":
            rows = [{"input": t, "expected": e} for t, e in _SENTENCES]
        case "summarisation":
            rows = [{"input": {"text": t, "max_sentences": 1}, "expected": e} for t, e in _ARTICLES]
        case "question-answering":
            rows = [{"input": {"question": q, "context": c}, "expected": e} for q, c, e in _QUESTIONS]
        case "chat" | "text-generation":
            rows = [{"input": t, "expected": e, "slices": {"subject": s}} for t, e, s in _ASKED]
        case "embeddings":
            rows = [{"input": t, "expected": e} for t, e in _ALIKE]
        case "semantic-search":
            documents = [e for _, e in _ALIKE]
            rows = [{"input": {"query": t, "documents": documents}, "expected": at} for at, (t, _) in enumerate(_ALIKE)]
        case "tabular-classification":
            rows = [_expecting(row, "cultivar") for row in _table("wine")[::6]]
        case "tabular-regression":
            rows = [_expecting(row, "petal width") for row in _table("iris")[::6]]
        case "image-classification":
            rows = [{"input": {"image": image}, "expected": label} for image, label in _digits()]
        case "object-detection":
            rows = [{"input": {"image": _scene()}, "expected": [_box("square", 8, 12, 20)]}]
        case "recommendation":
            rows = [{"input": {"history": []}, "expected": "Home page", "slices": {"history": "none"}}]
        case "ranking":
            one = {"history": [], "candidates": ["Home page", "Contact"]}
            rows = [{"input": one, "expected": "Home page"}]
        case _:
            raise KeyError(task)
    return tuple(rows)


def file(task: str, form: str) -> bytes:
    """The examples as a file of FORMS. Raises KeyError."""
    rows = of(task)
    if form == "jsonl":
        return b"".join(orjson.dumps(row) + b"\n" for row in rows)
    flat = [_flat(task, row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue().encode()


def _flat(task: str, row: Row) -> dict[str, str]:
    given: Any = row["input"]
    fields: Mapping[str, Any] = given if isinstance(given, dict) else {"input": given}
    cells = {**fields, "expected": row["expected"]}
    cells |= {f"slice:{name}": value for name, value in row.get("slices", {}).items()}
    return {name: cell if isinstance(cell, str) else orjson.dumps(cell).decode() for name, cell in cells.items()}


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table(name).decode())))


def _expecting(row: dict[str, str], target: str) -> Row:
    return {"input": {name: float(cell) for name, cell in row.items() if name not in (target, "species")},
            "expected": row[target]}  # fmt: skip


def _digits() -> list[tuple[str, str]]:
    """Handwritten digits of scikit-learn's: each of the ten, dark on light, as PNG."""
    found = importlib.util.find_spec("sklearn")
    assert found is not None
    assert found.origin is not None
    import gzip

    with gzip.open(Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as lines:
        rows = [[int(float(cell)) for cell in next(lines).split(",")] for _ in range(20)]
    return [(_png(8, 8, [255 - 15 * min(ink, 16) for ink in row[:64]]), str(row[64])) for row in rows]


def _png(width: int, height: int, greys: list[int]) -> str:
    image = Image.frombytes("L", (width, height), bytes(max(grey, 0) for grey in greys)).resize((64, 64))
    kept = io.BytesIO()
    image.save(kept, "PNG")
    return f"data:image/png;base64,{base64.b64encode(kept.getvalue()).decode()}"


def _scene() -> str:
    return _png(64, 64, [40 if 8 <= x < 28 and 12 <= y < 32 else 230 for y in range(64) for x in range(64)])


def _box(label: str, x: int, y: int, side: int) -> Row:
    return {"label": label, "box": {"x": x, "y": y, "width": side, "height": side}}

"""What catalog.py measures, in a process of its own: fills so many models, then searches. The last line is JSON."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
os.environ["ALLOWED_HOSTS"] = "localhost"
django.setup()

from django.conf import settings  # noqa: E402 – Django must be set up first
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.encoder import WIDTH  # noqa: E402
from billing.prices.models import Price  # noqa: E402
from marketplace.catalog import shelf  # noqa: E402
from marketplace.catalog.listings import TYPICAL  # noqa: E402
from marketplace.catalog.models import Listing, Meaning, Model, Version  # noqa: E402
from marketplace.catalog.search import Query, search  # noqa: E402
from marketplace.catalog.visibility import ANYBODY, Reader  # noqa: E402
from marketplace.tasks import registry  # noqa: E402
from portal.accounts.models import Workspace  # noqa: E402

PUBLISHERS, ROUNDS = 2_000, 21
KINDS = [
    "net",
    "former",
    "bert",
    "vision",
    "speech",
    "flow",
    "seq",
    "graph",
    "diffusion",
    "reader",
    "ranker",
    "writer",
    "tagger",
    "coder",
]
ADJECTIVES = [
    "tiny",
    "small",
    "base",
    "large",
    "fast",
    "deep",
    "wide",
    "robust",
    "quantized",
    "distilled",
    "multilingual",
    "clinical",
    "legal",
]
THINGS = [
    "documents",
    "pictures",
    "flowers",
    "invoices",
    "reviews",
    "contracts",
    "molecules",
    "tweets",
    "recipes",
    "accents",
    "图像",
    "文本",
    "翻译",
]
SYLLABLES = ["ka", "lo", "mi", "ren", "tus", "vor", "sha", "pel", "dri", "nox", "zen", "ar", "bel", "qui", "fa", "tor"]
QUERIES = {
    "all models": Query(),
    "all, newest": Query(sort="newest"),
    "all, best quality": Query(sort="quality"),
    "all, by name": Query(sort="name"),
    "a common word": Query("large"),
    "a word's beginning": Query("cla"),
    "one letter": Query("c"),
    "inside of a word": Query("form"),
    "three words": Query("large pictures vision"),
    "mistyped": Query("clasification of flwers"),
    "mistyped twice": Query("multilingaul recepies"),
    "Chinese": Query("图像分类"),
    "nothing": Query("xyzzyqwv"),
    "a sentence": Query("a model that translates legal contracts fast"),
    "publisher/name": Query("pub-77/kalo-base-77"),
    "facets": Query("", {"task": ["chat", "embeddings"], "licence": ["MIT"], "price": ["0.001"]}, "cheapest"),
    "words and facets": Query("robust net", {"modality": ["vision"], "quality": ["90"]}, "fastest"),
}
BY_MEANING = ["a common word", "three words", "mistyped twice", "nothing", "a sentence"]
PAGES = ["/models", "/models?q=clasification&sort=used", "/models?task=chat&licence=MIT&page=20", "/models?q=图像"]


def models(count: int, now: Any) -> Iterator[tuple[Model, Version, Listing, Price]]:
    """Names, titles and texts of a few words in many combinations; half a day apart."""
    chance = random.Random(1)  # noqa: S311 – the same models each time
    tasks = list(registry.TASKS)
    licences = ["MIT", "Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "Llama 3 community licence", ""]
    for n in range(count):
        task = registry.get(tasks[n % len(tasks)])
        word = "".join(chance.choices(SYLLABLES, k=chance.randint(2, 3))) + chance.choice(KINDS)
        how, thing = chance.choice(ADJECTIVES), chance.choice(THINGS)
        model = Model(
            publisher_id=f"ws_{n % PUBLISHERS}", name=f"{word}-{how}-{n}", task=task.name, title=f"{word.title()} {how} {n}",
            summary=f"A {how} model for {thing} and {chance.choice(THINGS)}, trained on {chance.randint(1, 900)} hours.",
            licence=chance.choice(licences), languages=chance.choice(["en", "en zh", "zh", "de fr", ""]),
            visibility="public" if n % 50 else "workspace", created_at=now - timedelta(hours=12 * chance.random() * n),
        )  # fmt: skip
        first = task.metrics[0].name if task.metrics else ""
        version = Version(model=model, number=1, engine="oip", source="http://127.0.0.1:9", spec={},
                          metrics={first: chance.random()} if first else {})  # fmt: skip
        listing = Listing(
            model=model, changed_at=now - timedelta(days=1), price_nanos=chance.randint(0, 30) * 10**5,
            quality=chance.random() if first else None, percent=bool(first), context_length=chance.choice([0, 8192, 131072]),
            p50_ms=chance.choice([None, 40, 900]), requests=int(chance.paretovariate(0.7)) if n % 3 else 0,
        )  # fmt: skip
        yield model, version, listing, Price(product=model.pk, version=1, rates=dict.fromkeys(list(TYPICAL)[:1], 10**9))


def fill(count: int) -> float:
    """Seconds that it took."""
    started, now = time.perf_counter(), timezone.now()
    Workspace.objects.bulk_create(Workspace(pk=f"ws_{n}", slug=f"pub-{n}", name=f"Pub {n}") for n in range(PUBLISHERS))
    rows = list(models(count, now))
    Model.objects.bulk_create((row[0] for row in rows), batch_size=2_000)
    Version.objects.bulk_create((row[1] for row in rows), batch_size=2_000)
    for model, version, _listing, _price in rows:
        model.live_version = version
    Model.objects.bulk_update([row[0] for row in rows], ["live_version"], batch_size=500)
    Listing.objects.bulk_create((row[2] for row in rows), batch_size=2_000)
    Price.objects.bulk_create((row[3] for row in rows), batch_size=2_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return time.perf_counter() - started


def fill_meanings() -> None:
    """A vector of chance for each model, and an encoder that the catalog is searched by."""
    encoder = Model.objects.filter(task="embeddings", visibility="public").select_related("publisher")[0]
    settings.SEMANTIC_MODEL, settings.SEMANTIC_LEAST = encoder.slug, 0.15
    settings.CATALOG_ENCODER = "benchmarks.encoder.encode"
    chance = np.random.default_rng(1)
    ids = list(Model.objects.values_list("pk", flat=True))
    for begin in range(0, len(ids), 2_000):
        rows = chance.standard_normal((len(ids[begin : begin + 2_000]), WIDTH))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        Meaning.objects.bulk_create(
            Meaning(model_id=pk, encoder=encoder.live_version_id, digest="", vector=row.astype("<f2").tobytes(),
                    looked_at=timezone.now(), changed_at=timezone.now())
            for pk, row in zip(ids[begin : begin + 2_000], rows, strict=True)
        )  # fmt: skip


def timed(what: Any) -> dict[str, float]:
    """Milliseconds: the median, the 95th percentile, and the core's own, whoever else is at work on the machine."""
    took = []
    busy = time.process_time()
    for _ in range(ROUNDS):
        started = time.perf_counter()
        what()
        took.append((time.perf_counter() - started) * 1000)
    core = (time.process_time() - busy) / ROUNDS * 1000
    took.sort()
    return {"p50": round(took[len(took) // 2], 1), "p95": round(took[int(len(took) * 0.95)], 1), "core": round(core, 1)}


def main(count: int) -> dict[str, Any]:
    """Everything."""
    found: dict[str, Any] = {"models": count, "fill_s": round(fill(count), 1)}
    started = time.perf_counter()
    with shelf.lock:
        shelf.fresh()
    found["load_s"] = round(time.perf_counter() - started, 2)
    found["search"] = {}
    for name, query in QUERIES.items():
        total = search(query, ANYBODY).total
        found["search"][name] = {**timed(lambda query=query: search(query, Reader("ws_3"))), "found": total}
    fill_meanings()
    started = time.perf_counter()
    search(Query("large"), ANYBODY)
    found["load_meanings_s"] = round(time.perf_counter() - started, 2)
    found["by_meaning"] = {}
    for name in BY_MEANING:
        query = QUERIES[name]
        total = search(query, ANYBODY).total
        found["by_meaning"][name] = {**timed(lambda query=query: search(query, Reader("ws_3"))), "found": total}
    settings.SEMANTIC_MODEL = ""
    browser = Client(headers={"host": "localhost"})
    found["pages"] = {path: timed(lambda path=path: browser.get(path)) for path in PAGES}
    return found


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1])), ensure_ascii=False))

"""A search asks the database for what changed and for one page, by indexes: its time does not grow with the catalog there."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.catalog import shelf
from marketplace.catalog.models import Listing, Model
from tests.marketplace.catalog.listed import found, model, shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _late_rows_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the next second may begin anywhere."""
    monkeypatch.setattr(shelf, "CHECKED_EVERY_S", 3_600.0)


def plan(sql: str) -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET enable_seqscan = off")  # small tables are read whole, were it allowed
        cursor.execute(f"EXPLAIN {'QUERY PLAN' if connection.vendor == 'sqlite' else ''} {sql}")
        return "\n".join(str(row) for row in cursor.fetchall())


@pytest.mark.parametrize("words", ["", "bulk", "blk 7", "no such words"])
def test_no_table_is_read_whole(words: str) -> None:
    rows = [Model(publisher=shop(), name=f"bulk-{n}", task="tensor", title=f"Bulk {n}") for n in range(300)]
    Model.objects.bulk_create(rows)
    Listing.objects.bulk_create(Listing(model=row) for row in rows)
    model("newest")
    found("first")  # fills the shelf, and counts
    with CaptureQueriesContext(
        connection,
    ) as asked:
        found(words)
    assert 1 <= len(asked) <= 3  # what was retired, what changed, and what is shown
    for query in asked:
        shown = plan(query["sql"])
        assert "SCAN marketplace_" not in shown, shown
        assert "Seq Scan on marketplace_" not in shown, shown


def test_a_page_asks_as_often_for_many_models_as_for_few() -> None:
    def asked() -> int:
        browser.get("/models?sort=name")
        with CaptureQueriesContext(connection) as queries:
            browser.get("/models?sort=name")
        return len(queries)

    browser = Client()
    model("first")
    few = asked()
    for n in range(40):
        model(f"more-{n}")
    assert asked() <= few

"""On PostgreSQL usage stands in a table a month: converted without a loss, made ahead, dropped when archived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from billing.metering import archive, partitions, recorder
from billing.metering.models import UsageEvent
from tests.billing.metering.test_rollups_are_exact import USED, event

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="tests/drills/test_on_postgres.py runs it there"),
]
TABLE = "billing_usageevent"


def ask(sql: str, *given: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return [row[0] if len(row) == 1 else row for row in cursor.fetchall()]


def there() -> set[str]:
    return set(ask("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", TABLE))


def where(pk: str) -> str:
    return str(ask(f"SELECT tableoid::regclass::text FROM {TABLE} WHERE id = %s", pk)[0])


def month(moment: datetime) -> str:
    return f"{TABLE}_{moment:%Y_%m}"


def indexes(table: str) -> set[str]:
    definitions = ask("SELECT indexdef FROM pg_indexes WHERE tablename = %s", table)
    return {text.partition(" USING ")[2] for text in definitions}


def test_an_event_is_kept_in_its_month() -> None:
    pk = recorder.record(USED).event_id
    assert where(pk) == month(timezone.now())
    assert indexes(month(timezone.now())) == indexes(TABLE)


def test_an_event_whose_month_has_no_table_is_kept_and_moves_when_it_gets_one() -> None:
    ahead = (timezone.now() + timedelta(days=200)).replace(day=5)
    event(recorded_at=ahead).save()
    assert where("use_1") == f"{TABLE}_default"
    assert partitions.make_ahead(ahead) == partitions.AHEAD + 1
    assert where("use_1") == month(ahead)
    assert partitions.make_ahead(ahead) == 0
    assert UsageEvent.objects.get().recorded_at == ahead
    UsageEvent.objects.all().delete()
    assert partitions.drop_empty(ahead + timedelta(days=400)) > partitions.AHEAD
    partitions.make_ahead(timezone.now())


def test_a_table_that_still_holds_something_is_not_dropped() -> None:
    now = timezone.now()
    recorder.record(USED)
    partitions.drop_empty(now + timedelta(days=40))
    assert month(now) in there()
    assert UsageEvent.objects.count() == 1
    partitions.make_ahead(now)


def test_what_there_was_before_is_there_after_and_goes_with_its_archive(tmp_path: Path, settings: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {TABLE}")
    with connection.schema_editor() as editor:
        editor.create_model(UsageEvent)
    now, old = timezone.now(), datetime(2024, 2, 3, tzinfo=UTC)
    UsageEvent.objects.bulk_create(
        event(id=f"use_{n}", recorded_at=old if n % 2 else now, tier_from={"row": n} if n % 3 else None)
        for n in range(10)
    )
    before, whole = list(UsageEvent.objects.order_by("pk").values()), indexes(TABLE)
    names = set(ask("SELECT indexname FROM pg_indexes WHERE tablename = %s", TABLE))
    migration = import_module("billing.migrations.0018_usage_by_month_on_postgresql")
    for _ in range(2):  # also after it was taken back
        with connection.schema_editor() as editor:
            migration.by_month(None, editor)
    until = partitions.following(now.replace(day=1))
    assert there() == {f"{TABLE}_until_{until:%Y_%m}", f"{TABLE}_default"} | {
        month(until + timedelta(days=31 * n + 1)) for n in range(4)
    }
    assert list(UsageEvent.objects.order_by("pk").values()) == before
    assert set(ask("SELECT indexname FROM pg_indexes WHERE tablename = %s", TABLE)) == names
    assert indexes(TABLE) == {text if text != "btree (id)" else "btree (id, recorded_at)" for text in whole}
    assert indexes(f"{TABLE}_until_{until:%Y_%m}") == indexes(TABLE)
    # A new one goes to where the old ones are, until the month is over.
    assert where(recorder.record(USED).event_id).endswith(f"until_{until:%Y_%m}")
    assert partitions.make_ahead(now) == 0

    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": backend, "OPTIONS": {"location": tmp_path}}}
    assert archive.archive(now) == 5
    assert archive.archive(now + timedelta(days=600)) == 6
    assert not [name for name in there() if "_until_" in name]
    assert UsageEvent.objects.count() == 0
    partitions.make_ahead(now)


def test_a_time_is_looked_for_in_its_own_tables_alone() -> None:
    now = timezone.now()
    rows = UsageEvent.objects.filter(
        workspace_id="ws_x", recorded_at__gte=now, recorded_at__lt=now + timedelta(minutes=1)
    )
    assert set(there()) & {word for word in rows.explain().split() if word.startswith(TABLE)} == {month(now)}

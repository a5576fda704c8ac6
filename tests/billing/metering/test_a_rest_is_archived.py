"""What two credits paid of a request is in the archive as it was; older files have nothing of the kind."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest

from billing.metering import archive, parquet, rollups
from billing.metering.log import Log
from billing.metering.models import Rollup, UsageEvent
from billing.metering.sums import FIELDS

OLD, NOW = datetime(2024, 2, 1, tzinfo=UTC), datetime(2026, 3, 20, tzinfo=UTC)


@pytest.fixture
def event(transactional_db: None, settings: Any) -> UsageEvent:
    """Of a month that can be archived."""
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    made = UsageEvent(
        id="use_1", request_id="r", workspace_id="ws_x", model="a/b", version_id="v", protocol="openai", units={"row": 1},
        price_id="", cost_nanos=11, rest_nanos=4, owed_nanos=2, funding="promo", latency_ms=1, recorded_at=OLD,
    )  # fmt: skip
    made.save()
    return made


def test_what_several_fundings_paid_is_archived_and_summed_again_as_it_was(event: UsageEvent) -> None:
    assert archive.archive(NOW) == 1
    assert not UsageEvent.objects.exists()
    [archived] = Log("ws_x", invoiced=True).newest(1)
    assert archived.paid == {"promo": 5, "credit": 4, "receivable": 2}
    Rollup.objects.all().delete()
    rollups.rebuild()
    sums = {row.funding: (row.requests, row.cost_nanos, row.units) for row in Rollup.objects.all()}
    assert sums == {"promo": (1, 5, {"row": 1}), "credit": (0, 4, {}), "receivable": (0, 2, {})}
    assert rollups.differences() == []


def test_a_file_of_a_version_that_knew_no_rests_has_none(event: UsageEvent) -> None:
    table = pq.read_table(io.BytesIO(parquet.written([event]))).drop_columns(["rest_nanos", "owed_nanos"])
    file = io.BytesIO()
    pq.write_table(table, file)
    [row] = parquet.everything(file, list(FIELDS))
    assert (row["cost_nanos"], row["rest_nanos"], row["owed_nanos"], row["units"]) == (11, 0, 0, {"row": 1})

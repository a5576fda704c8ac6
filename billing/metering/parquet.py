"""Usage events as a Parquet file, and back: a workspace's rows stand together, the newest first."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.db import models

from billing.metering.models import UsageEvent
from billing.metering.sums import OWED

FIELDS = [field for field in UsageEvent._meta.concrete_fields if field.attname]
NAMES = [field.attname for field in FIELDS]
ROWS_A_GROUP = 1_000  # what is decoded to read one row


def _type(field: models.Field[Any, Any]) -> pa.DataType:
    if isinstance(field, models.DateTimeField):
        return pa.timestamp("us", "UTC")
    return pa.int64() if isinstance(field, models.IntegerField) else pa.string()


# JSON as text: whole numbers of any size and any name of a unit stay what they are.
SCHEMA = pa.schema([pa.field(field.attname, _type(field)) for field in FIELDS])
_JSON = {field.attname for field in FIELDS if isinstance(field, models.JSONField)}


def written(events: Sequence[UsageEvent]) -> bytes:
    """The file. The same events give the same bytes."""
    columns = []
    for name, kind in zip(NAMES, SCHEMA.types, strict=True):
        values = [getattr(event, name) for event in events]
        if name in _JSON:
            values = [None if value is None else json.dumps(value) for value in values]
        columns.append(pa.array(values, kind))
    sink = io.BytesIO()
    table = pa.table(columns, schema=SCHEMA)
    pq.write_table(table, sink, row_group_size=ROWS_A_GROUP, compression="zstd")
    return sink.getvalue()


def rows(
    file: BinaryIO, names: Sequence[str], workspace_id: str, start: datetime, end: datetime, equal: Mapping[str, str],
    invoiced: bool = False,
) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    """These columns of the workspace's events from `start` until before `end`, the newest first, whose columns `equal` these texts
    and, where asked for, of which an invoice has something.

    Reads only the parts that can have any, and of those `names` only where there is one. A column that the file does not
    have yet has its default.
    """
    source = pq.ParquetFile(file)
    at = {name: number for number, name in enumerate(source.schema_arrow.names)}
    texts = {"workspace_id": workspace_id, **equal}
    if not texts.keys() <= at.keys():
        return
    there = [name for name in names if name in at]
    payers = [name for name in ("funding", "owed_nanos") if invoiced and name in at]
    for number in range(source.num_row_groups):
        group = source.metadata.row_group(number)
        spaces, times = (group.column(at[name]).statistics for name in ("workspace_id", "recorded_at"))
        if not spaces.min <= workspace_id <= spaces.max or times.max < start or times.min >= end:
            continue
        looked_at = source.read_row_group(number, columns=[*texts, *payers, "recorded_at"])
        wanted = _between(looked_at["recorded_at"], start, end)
        for name, text in texts.items():
            wanted = pc.and_(wanted, pc.equal(looked_at[name], text))
        if invoiced:
            wanted = pc.and_(wanted, _invoiced(looked_at))
        if pc.any(wanted).as_py():
            columns = source.read_row_group(number, columns=there).filter(wanted).to_pydict()
            yield from zip(*(_values(name, columns.get(name)) for name in names), strict=False)


def _invoiced(rows: pa.Table) -> pa.ChunkedArray:
    by_funding = pc.equal(rows["funding"], OWED)
    return pc.or_(by_funding, pc.greater(rows["owed_nanos"], 0)) if "owed_nanos" in rows.column_names else by_funding


def _values(name: str, column: list[Any] | None) -> Iterable[Any]:
    if column is None:
        return itertools.repeat(UsageEvent._meta.get_field(name).get_default())  # type: ignore[union-attr] # a column
    return map(_json, column) if name in _JSON else column


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)  # orjson makes floats of whole numbers beyond 64 bits


def sums(file: BinaryIO, by: str, start: datetime, end: datetime) -> dict[str, tuple[int, int]]:
    """The column's values → how many events from `start` until before `end` have it, and their cost in nano-dollars."""
    rows = pq.read_table(file, columns=[by, "recorded_at", "cost_nanos"])
    rows = rows.filter(_between(rows["recorded_at"], start, end))
    found = rows.group_by(by).aggregate([("cost_nanos", "count"), ("cost_nanos", "sum")])
    return {row[by]: (row["cost_nanos_count"], row["cost_nanos_sum"]) for row in found.to_pylist()}


def everything(file: BinaryIO, names: list[str]) -> Iterator[dict[str, Any]]:
    """These columns of all rows, in the file's order; those that the file does not have yet get their defaults."""
    missing = {field.attname: field.get_default() for field in FIELDS if field.attname in names}
    for batch in pq.ParquetFile(file).iter_batches(ROWS_A_GROUP, columns=names):
        for row in batch.to_pylist():
            yield missing | _read(row)


def _between(times: pa.ChunkedArray, start: datetime, end: datetime) -> pa.ChunkedArray:
    kind = times.type
    # The ends of time do not fit into every unit that a file may have been written in.
    first, last = max(start, _FIRST), min(end, _LAST)
    return pc.and_(pc.greater_equal(times, pa.scalar(first, kind)), pc.less(times, pa.scalar(last, kind)))


_FIRST, _LAST = datetime.fromisoformat("1970-01-01T00:00Z"), datetime.fromisoformat("2260-01-01T00:00Z")


def _read(row: dict[str, Any]) -> dict[str, Any]:
    for name in _JSON & row.keys():
        row[name] = _json(row[name])
    return row

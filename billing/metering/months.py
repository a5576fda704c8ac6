"""Prices events with tiers, at their exact place in the month: in the transaction that writes them, under the month's lock.

A request with another price touches nothing here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from billing.metering.models import MonthInTiers
from billing.prices import book
from billing.prices.month import Charge, Month, month_from
from portal.kit.caches import RecentValues

if TYPE_CHECKING:
    from billing.metering.recorder import Usage

_TABLE = MonthInTiers._meta.db_table
_WHERE = "workspace_id = {m} AND product = {m} AND month = {m}"
_OPEN = f"INSERT INTO {_TABLE} (workspace_id, product, month, state) VALUES ({{m}}, {{m}}, {{m}}, '{{{{}}}}') ON CONFLICT DO NOTHING"  # noqa: S608 – constants
_READ = f"SELECT state FROM {_TABLE} WHERE {_WHERE}"  # noqa: S608 – constants
_KEEP = f"UPDATE {_TABLE} SET state = {{m}} WHERE {_WHERE}"  # noqa: S608 – constants


def first_day(moment: datetime) -> date:
    """Of the moment's calendar month, UTC."""
    return moment.date().replace(day=1)


def charge(cursor: Any, mark: str, usages: Sequence[Usage], now: datetime) -> list[Charge]:
    """What each of the usages costs, counted one after another in the month of `now`.

    Runs in the caller's transaction and locks the months until it ends, in one order, so that no two processes wait for
    each other. `mark`: the parameter mark of the cursor's SQL. An event names its lease before its month is locked.
    """
    month = first_day(now)
    lock = " FOR UPDATE" if connection.vendor == "postgresql" else ""  # SQLite has one writer at a time
    states: dict[tuple[str, str], Month] = {}
    for key in sorted({(usage.workspace_id, usage.product) for usage in usages}):
        cursor.execute(_OPEN.format(m=mark), (*key, str(month)))
        cursor.execute(_READ.format(m=mark) + lock, (*key, str(month)))
        state = cursor.fetchone()[0]
        states[key] = month_from(json.loads(state) if isinstance(state, str) else state)
    charges = []
    for usage in usages:
        key = (usage.workspace_id, usage.product)
        scheme = book.price(usage.price_id).scheme
        states[key], cost = states[key].charge(usage.price_id, scheme, usage.units, usage.factor_bp, usage.most_nanos)
        charges.append(cost)
    for key, state in states.items():
        # Not orjson: femto-dollars may pass 64 bits.
        cursor.execute(_KEEP.format(m=mark), (json.dumps(state.to_json()), *key, str(month)))
        _told[key] = month, state.units
    if len(_told) > _MOST_TOLD:
        _told.clear()
    return charges


def units_before(workspace_id: str, product: str) -> Mapping[str, int]:
    """Units of this month so far: what this process wrote last, or what another one did up to a second ago."""
    key = (workspace_id, product)
    month = first_day(timezone.now())
    read = _recent.get((*key, month))
    told_month, told = _told.get(key, (month, {}))
    if told_month != month:
        return read
    return {unit: max(read.get(unit, 0), told.get(unit, 0)) for unit in {**read, **told}}


def _read(key: tuple[str, str, date]) -> Mapping[str, int]:
    workspace_id, product, month = key
    found = MonthInTiers.objects.filter(workspace_id=workspace_id, product=product, month=month).first()
    return month_from(found.state).units if found else {}


_MOST_TOLD = 100_000
_told: dict[tuple[str, str], tuple[date, Mapping[str, int]]] = {}
_recent: RecentValues[tuple[str, str, date], Mapping[str, int]] = RecentValues(_read, settings.CATALOG_MAX_AGE_S)


def forget() -> None:
    """Drops what is remembered."""
    _told.clear()
    _recent.forget()

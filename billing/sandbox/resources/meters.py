"""Billing meters, their events and sums."""

from __future__ import annotations

import re
import secrets

from billing.sandbox.errors import StripeError
from billing.sandbox.params import Params, accept, whole
from billing.sandbox.resources import thin
from billing.sandbox.store import Object, Store

PAST_S, FUTURE_S = 35 * 24 * 3600, 5 * 60
UNIQUE_S = 24 * 3600  # an identifier may come again after this, and then counts again
WINDOWS = {"hour": 3600, "day": 86400}


def create(store: Store, given: Params) -> Object:
    accept(
        given,
        ("customer_mapping.type", "customer_mapping.event_payload_key", "value_settings.event_payload_key",
         "event_time_window"),
        ("display_name", "event_name", "default_aggregation.formula"),
    )  # fmt: skip
    if any(m["event_name"] == given["event_name"] and m["status"] == "active" for m in store.all("billing.meter")):
        raise StripeError(f"A meter for {given['event_name']} exists already.", param="event_name")
    body = {
        "display_name": given["display_name"],
        "event_name": given["event_name"],
        "default_aggregation": given["default_aggregation"],
        "customer_mapping": given.get("customer_mapping", {"type": "by_id", "event_payload_key": "stripe_customer_id"}),
        "value_settings": given.get("value_settings", {"event_payload_key": "value"}),
        "event_time_window": given.get("event_time_window"),
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": store.now(),
    }
    return store.create("billing.meter", "mtr", body)


def retrieve(store: Store, given: Params, id: str) -> Object:
    accept(given, ())
    return store.get("billing.meter", id)


def listed(store: Store, given: Params) -> list[Object]:
    accept(given, ("status", "limit", "starting_after"))
    return [m for m in store.all("billing.meter") if given.get("status") in (None, m["status"])]


def record(store: Store, given: Params, dropped: bool) -> Object:
    accept(given, ("identifier", "timestamp", "payload"), ("event_name", "payload"))
    meter = next((m for m in store.all("billing.meter") if m["event_name"] == given["event_name"]), None)
    if meter is None:
        raise StripeError(f"No meter has the event name {given['event_name']}.", "resource_missing", "event_name")
    payload = given["payload"]
    value = payload.get(meter["value_settings"]["event_payload_key"], "")
    if not re.fullmatch(r"\d{1,15}", str(value)):
        raise StripeError("The value must be a whole number of at most 15 digits.", param="payload[value]")
    now = store.now()
    at = whole(given, "timestamp", now)
    if at < now - PAST_S:
        raise StripeError("The timestamp must be within the past 35 calendar days.", "timestamp_too_far_in_past")
    if at > now + FUTURE_S:
        raise StripeError("The timestamp must be at most 5 minutes ahead.", "timestamp_in_future")
    identifier = given.get("identifier") or secrets.token_hex(16)
    if len(identifier) > 100:
        raise StripeError("The identifier has more than 100 characters.", param="identifier")
    if store.sql("SELECT 1 FROM usage WHERE identifier = ? AND arrived > ?", identifier, now - UNIQUE_S):
        raise StripeError(f"An event already exists with identifier {identifier}.")
    customer = payload.get(meter["customer_mapping"]["event_payload_key"], "")
    # What is wrong with it is told later, by an error report: the call itself succeeds.
    error = "meter_event_invalid_value" if dropped else ""
    if not store.find("customer", customer):
        error = "meter_event_customer_not_found"
    store.sql(
        "INSERT INTO usage (identifier, event_name, customer, value, ts, arrived, error) VALUES (?, ?, ?, ?, ?, ?, ?)",
        identifier, meter["event_name"], customer, int(value), at, now, error,
    )  # fmt: skip
    return {
        "object": "billing.meter_event",
        "created": now,
        "event_name": given["event_name"],
        "identifier": identifier,
        "livemode": False,
        "payload": payload,
        "timestamp": at,
    }


def adjust(store: Store, given: Params) -> Object:
    accept(given, (), ("event_name", "type", "cancel.identifier"))
    identifier = given["cancel"]["identifier"]
    since = store.now() - UNIQUE_S
    if not store.sql("DELETE FROM usage WHERE identifier = ? AND arrived > ? RETURNING 1", identifier, since):
        raise StripeError(f"No event has the identifier {identifier}.", "resource_missing", "cancel[identifier]")
    return {"object": "billing.meter_event_adjustment", "livemode": False, "status": "pending", **given}


def summaries(store: Store, given: Params, id: str, lag_s: float) -> list[Object]:
    accept(given, ("value_grouping_window", "limit", "starting_after"), ("customer", "start_time", "end_time"))
    meter = store.get("billing.meter", id)
    store.get("customer", given["customer"], 400, "customer")
    start, end = whole(given, "start_time"), whole(given, "end_time")
    if start % 60 or end % 60:
        raise StripeError("Times must align with minute boundaries.", param="start_time")
    step = WINDOWS.get(given.get("value_grouping_window", ""), end - start)
    found = []
    for begin in range(start, end, max(step, 1)):
        until = min(begin + step, end)
        total = used(store, meter["event_name"], given["customer"], begin, until, store.now() - lag_s)
        if total:
            found.append(
                {
                    "id": f"mtrusg_{meter['id'][4:16]}{begin}",
                    "object": "billing.meter_event_summary",
                    "aggregated_value": total,
                    "start_time": begin,
                    "end_time": until,
                    "livemode": False,
                    "meter": meter["id"],
                }
            )
    return found[::-1]


def used(store: Store, event_name: str, customer: str, start: int, end: int, arrived: float | None = None) -> int:
    """Σ values with start ≤ timestamp < end, of what arrived by then."""
    rows = store.sql(
        "SELECT COALESCE(SUM(value), 0) FROM usage"
        " WHERE customer = ? AND event_name = ? AND ts >= ? AND ts < ? AND error = '' AND (? IS NULL OR arrived <= ?)",
        customer, event_name, start, end, arrived, arrived,
    )  # fmt: skip
    return int(rows[0][0])


def report_errors(store: Store) -> None:
    """One thin event about all usage that was dropped since the last: counts, and a sample of each kind only."""
    found = store.sql(
        "SELECT event_name, error, COUNT(*), MIN(identifier), MIN(arrived), MAX(arrived) FROM usage"
        " WHERE error != '' AND told = 0 GROUP BY event_name, error"
    )
    store.sql("UPDATE usage SET told = 1 WHERE error != '' AND told = 0")
    for event_name, code, count, sample, first, last in found:
        meter = next(m for m in store.all("billing.meter") if m["event_name"] == event_name)
        error = {"error_message": f"The event was dropped: {code}.", "request": {"identifier": sample}}
        kinds = [{"code": code, "error_count": count, "sample_errors": [error]}]
        thin.emit(
            store,
            "v1.billing.meter.error_report_triggered",
            meter,
            {
                "developer_message_summary": f"There {'is' if count == 1 else 'are'} {count} invalid event(s).",
                "reason": {"error_count": count, "error_types": kinds},
                "validation_start": thin.moment(first),
                "validation_end": thin.moment(last + 1),
            },
        )

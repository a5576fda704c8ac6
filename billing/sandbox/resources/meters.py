"""Billing meters, their events and sums."""

from __future__ import annotations

import re
import secrets

from billing.sandbox.errors import StripeError
from billing.sandbox.params import Params, accept, whole
from billing.sandbox.store import Object, Store

PAST_S, FUTURE_S = 35 * 24 * 3600, 5 * 60
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


def record(store: Store, given: Params) -> Object:
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
    if store.sql("SELECT 1 FROM meter_events WHERE identifier = ?", identifier):
        raise StripeError(f"An event already exists with identifier {identifier}.")
    customer = payload.get(meter["customer_mapping"]["event_payload_key"], "")
    # An unknown customer is told later, by an error report: the call itself succeeds.
    if store.find("customer", customer):
        store.sql(
            "INSERT INTO meter_events VALUES (?, ?, ?, ?, ?)", identifier, meter["event_name"], customer, int(value), at
        )
    else:
        store.emit("v1.billing.meter.error_report_triggered", {"id": meter["id"], "object": "billing.meter"})
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
    if not store.sql("DELETE FROM meter_events WHERE identifier = ? RETURNING 1", identifier):
        raise StripeError(f"No event has the identifier {identifier}.", "resource_missing", "cancel[identifier]")
    return {"object": "billing.meter_event_adjustment", "livemode": False, "status": "pending", **given}


def summaries(store: Store, given: Params, id: str) -> list[Object]:
    accept(given, ("value_grouping_window", "limit", "starting_after"), ("customer", "start_time", "end_time"))
    meter = store.get("billing.meter", id)
    start, end = whole(given, "start_time"), whole(given, "end_time")
    if start % 60 or end % 60:
        raise StripeError("Times must align with minute boundaries.", param="start_time")
    step = WINDOWS.get(given.get("value_grouping_window", ""), end - start)
    found = []
    for begin in range(start, end, max(step, 1)):
        until = min(begin + step, end)
        total = used(store, meter["event_name"], given["customer"], begin, until)
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


def used(store: Store, event_name: str, customer: str, start: int, end: int) -> int:
    """Σ values with start ≤ timestamp < end."""
    rows = store.sql(
        "SELECT COALESCE(SUM(value), 0) FROM meter_events WHERE customer = ? AND event_name = ? AND ts >= ? AND ts < ?",
        customer,
        event_name,
        start,
        end,
    )
    return int(rows[0][0])

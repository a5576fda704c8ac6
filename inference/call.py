"""The two records that cross the house: a Call goes down, an Outcome comes up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.catalog.resolve import Resolved
from portal.accounts.keys.lookup import Caller


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks which model for what. `given` fits the task's schema, or holds named arrays when `raw`."""

    caller: Caller
    model: str  # publisher/name, or with @version
    protocol: str  # openai, predictions, oip
    given: Mapping[str, Any]
    request_id: str
    raw: bool = False
    pointer: str = "/input"  # where `given` stands in the body, for messages


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave, used and cost. Its usage event is on disk."""

    resolved: Resolved
    output: Any
    units: Mapping[str, int]
    cost_nanos: int
    event_id: str
    latency_ms: int

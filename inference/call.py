"""The two records that cross the house: a Call goes down, an Outcome comes up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from billing.prices.firm import Quote
from marketplace.catalog.resolve import Resolved
from portal.accounts.keys.lookup import Caller


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a caller may ask of any call, whatever its protocol."""

    most_nanos: int | None = None  # it may not cost more; generation stops there
    fallbacks: tuple[str, ...] = ()  # models to ask when the one named cannot answer
    finish: bool = False  # a stream is generated to its end even if its reader leaves
    quote: Quote | None = None  # the price it was promised
    operation_id: str = ""  # what retries of this request have in common
    fault: str = ""  # for test keys: what shall go wrong
    paid: bool = False  # an attempt whose usage is recorded already, and whose answer was lost
    timeout_s: float | None = None  # it is of no use later
    stop: Callable[[], bool] | None = None  # whether it is of no use any more, asked while an upstream is silent
    price_percent: int = 100  # of the price: batches are cheaper


NONE = Wishes()


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
    names: Mapping[str, str] = field(default_factory=dict)  # fields of `given` → what the caller calls them
    wishes: Wishes = field(default=NONE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave, used and cost. Its usage event is on disk."""

    resolved: Resolved
    output: Any
    units: Mapping[str, int]
    cost_nanos: int
    event_id: str
    latency_ms: int
    capped: bool = False  # it stopped where its max_cost ends

"""Before a call runs: which version, at what price, and how much it may cost at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing import money
from billing.errors import CostTooHigh, QuoteInvalid
from billing.prices.quote import PER, cost
from inference.call import Call
from inference.engines import fields
from inference.engines.engine import Work
from inference.errors import WrongProtocol
from marketplace.catalog.resolve import Resolved, choose, resolve
from marketplace.tasks import registry
from marketplace.tasks.schema import Check
from marketplace.tasks.task import Task
from portal.accounts.keys.scopes import require_model

_PROTOCOLS = {
    "openai": "OpenAI's interface",
    "predictions": "predictions",
    "oip": "the Open Inference Protocol",
}
_CONVERSES = {"anthropic": "openai", "responses": "openai"}  # other languages for the same conversations
_checks: dict[tuple[str, str], Check] = {}


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done for a call."""

    resolved: Resolved
    work: Work
    rates: Mapping[str, int]
    price_id: str
    most_nanos: int  # what it can cost at most; this much is held
    most_tokens: int  # read and written
    capped: bool  # fewer tokens may be generated than were asked for, since max_cost ends there


def plan(call: Call, timeout_s: float) -> Plan:
    """Raises Problems: of the catalog (404, 503), the key (403), the schema (422), the quote (422), max_cost (402)."""
    resolved = _resolve(call)
    rates, price_id = _price(call, resolved)
    units: dict[str, int] = {"request": 1}
    if call.raw:
        units[resolved.task.row_unit] = len(next(iter(call.given.values())))
    else:
        units |= resolved.task.codec.units(call.given)
    given, capped = call.given, False
    if not call.raw:
        if "input_token" in rates or call.caller.tpm:
            units["input_token"] = size(call.given)
        if resolved.task.streams:
            given, units["output_token"], capped = _bounded(call, resolved, rates, units)
    most = cost(rates, units) if rates else 0
    if call.wishes.most_nanos is not None and most > call.wishes.most_nanos:
        raise CostTooHigh(
            f"This request may cost {money.show(most)}, more than its max_cost of {money.show(call.wishes.most_nanos)}.",
            details={"needed": money.decimal(most)},
        )
    timeout_s = min(float(resolved.options.get("deadline_s") or timeout_s), call.wishes.timeout_s or timeout_s)
    tokens = units.get("input_token", 0) + units.get("output_token", 0)
    return Plan(resolved, Work(given, call.raw, timeout_s, call.wishes.stop), rates, price_id, most, tokens, capped)


def _bounded(
    call: Call, resolved: Resolved, rates: Mapping[str, int], units: Mapping[str, int]
) -> tuple[Mapping[str, Any], int, bool]:
    """`given` with the most tokens to generate in it, how many that are in all, and whether max_cost made them fewer.

    The bound goes along to the engine: what is held must cover what may be generated.
    """
    named = "max_completion_tokens" if call.given.get("max_completion_tokens") else "max_tokens"
    limit = max(resolved.spec.max_output_tokens, 1)
    asked = call.given.get(named)
    wanted = min(resolved.task.default_tokens or limit if asked is None else asked, limit)
    answers = _answers(call.given)
    allowed = wanted
    rate = rates.get("output_token", 0)
    if call.wishes.most_nanos is not None and rate:
        before = sum(units.get(unit, 0) * nanos for unit, nanos in rates.items())
        allowed = min(wanted, max(1, (call.wishes.most_nanos * PER - before) // (rate * answers)))
    if asked != allowed:
        return {**call.given, named: allowed}, allowed * answers, allowed < wanted
    return call.given, allowed * answers, False


def _answers(given: Mapping[str, Any]) -> int:
    """How many answers are generated: each prompt's, and those of which the best are chosen."""
    prompt = given.get("prompt")
    several = isinstance(prompt, list) and not all(isinstance(token, int) for token in prompt)
    return max(given.get("n") or 1, given.get("best_of") or 1) * (len(prompt) if several and prompt else 1)


def _price(call: Call, resolved: Resolved) -> tuple[Mapping[str, int], str]:
    """The rates that hold for this call, and the price they come from."""
    if call.caller.test or call.wishes.paid:
        return {}, ""
    rates, price_id = resolved.rates, resolved.price_id
    quote = call.wishes.quote
    if quote is not None:
        if (quote.workspace_id, quote.product) != (call.caller.workspace_id, resolved.model_id):
            raise QuoteInvalid(f"This quote is not for {resolved.slug}.", param="x-quote-id")
        rates, price_id = quote.rates(), quote.price_id
    if call.wishes.price_percent != 100:
        rates = {unit: rate * call.wishes.price_percent // 100 for unit, rate in rates.items()}
    return rates, price_id


def _resolve(call: Call) -> Resolved:
    require_model(call.caller.models, call.model.partition("@")[0])
    resolved = choose(resolve(call.model, call.caller.workspace_id))
    if call.raw:
        return resolved
    protocol = _CONVERSES.get(call.protocol, call.protocol)
    if protocol in _PROTOCOLS and protocol not in resolved.task.protocols:
        ways = " or ".join(_PROTOCOLS[protocol] for protocol in resolved.task.protocols if protocol in _PROTOCOLS)
        raise WrongProtocol(f"{resolved.slug} does {resolved.task.title.lower()}: call it by {ways}.")
    task = _form(resolved.task, call)
    check = _checks.get((resolved.version_id, task.name))
    if check is None:
        check = _checks[resolved.version_id, task.name] = Check(task.codec.input_schema(resolved.spec))
    check(call.given, call.pointer, call.names)
    if resolved.engine in fields.RUN_HERE:
        fields.check(resolved.slug, task.name, call.given, call.pointer, call.names)
    return resolved


def _form(task: Task, call: Call) -> Task:
    """The task whose schema holds: a model that converses may be given a bare prompt by OpenAI's older interface."""
    bare = task.name == "chat" and call.protocol == "openai" and "prompt" in call.given and "messages" not in call.given
    return registry.get("text-generation") if bare else task


def size(given: Any) -> int:
    """A bound of the input's tokens: a token is at least one byte."""
    if isinstance(given, str):
        return len(given.encode())
    if isinstance(given, Mapping):
        return sum(size(value) + 8 for value in given.values())
    if isinstance(given, (list, tuple)):
        return sum(size(value) + 8 for value in given)
    return 8

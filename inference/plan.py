"""Before a call runs: which version, at what price, and how much it may cost at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from billing import money
from billing.errors import CostTooHigh, QuoteInvalid
from billing.metering.months import units_before
from billing.plans import terms as agreed
from billing.plans.terms import Terms
from billing.prices.quote import LIST_BP, PER
from inference import counting
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
    terms: Terms
    most_nanos: int  # what it can cost at most; this much is held
    next_nanos: int  # the same, if no other request with tiers comes first
    most_tokens: int  # read and written
    capped: bool  # fewer tokens may be generated than were asked for, since max_cost ends there


def plan(call: Call, timeout_s: float) -> Plan:
    """Raises Problems: of the catalog (404, 503), the key (403), the schema (422), the quote (422), max_cost (402)."""
    resolved = _resolve(call)
    terms = _terms(call, resolved)
    scheme = terms.scheme
    before = units_before(call.caller.workspace_id, resolved.model_id) if scheme.tiers else {}
    timeout_s = min(float(resolved.options.get("deadline_s") or timeout_s), call.wishes.timeout_s or timeout_s)
    units: dict[str, int] = {"request": 1}
    if call.raw:
        units[resolved.task.row_unit] = len(next(iter(call.given.values())))
    else:
        units |= resolved.task.codec.units(call.given)
    if scheme.asks_measures:
        units |= counting.most({} if call.raw else call.given, timeout_s)
    given, capped = call.given, False
    if not call.raw:
        if scheme.input_unit or call.caller.tpm:
            units[scheme.input_unit or "input_token"] = size(call.given)
        if resolved.task.streams:
            given, units["output_token"], capped = _bounded(call, resolved, terms, units, before)
    most = scheme.most(units, terms.factor_bp, before)
    if call.wishes.most_nanos is not None and most > call.wishes.most_nanos:
        raise CostTooHigh(
            f"This request may cost {money.show(most)}, more than its max_cost of {money.show(call.wishes.most_nanos)}.",
            details={"needed": money.decimal(most)},
        )
    next_most = scheme.next_most(units, terms.factor_bp, before) if scheme.tiers else most
    tokens = counting.tokens_read(units) + units.get("output_token", 0)
    work = Work(given, call.raw, timeout_s, call.wishes.stop)
    return Plan(resolved, work, terms, most, next_most, tokens, capped)


def _bounded(
    call: Call, resolved: Resolved, terms: Terms, units: Mapping[str, int], before: Mapping[str, int]
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
    most = call.wishes.most_nanos
    if most is not None and (rate := terms.scheme.most_rate("output_token", before) * terms.factor_bp):
        spent = sum(n * terms.scheme.most_rate(unit, before) for unit, n in units.items()) * terms.factor_bp
        allowed = min(wanted, max(1, (most * PER * LIST_BP - spent) // (rate * answers)))
    if asked != allowed:
        return {**call.given, named: allowed}, allowed * answers, allowed < wanted
    return call.given, allowed * answers, False


def _answers(given: Mapping[str, Any]) -> int:
    """How many answers are generated: each prompt's, and those of which the best are chosen."""
    prompt = given.get("prompt")
    several = isinstance(prompt, list) and not all(isinstance(token, int) for token in prompt)
    return max(given.get("n") or 1, given.get("best_of") or 1) * (len(prompt) if several and prompt else 1)


def _terms(call: Call, resolved: Resolved) -> Terms:
    """The price that holds for this call, and the share of it that is charged."""
    if call.caller.test or call.wishes.paid:
        return agreed.NOTHING
    quote = call.wishes.quote
    if quote is None:
        terms = agreed.terms_of(resolved.model_id, resolved.slug, call.caller.workspace_id)
    elif (quote.workspace_id, quote.product) != (call.caller.workspace_id, resolved.model_id):
        raise QuoteInvalid(f"This quote is not for {resolved.slug}.", param="x-quote-id")
    else:
        terms = Terms(quote.price_id, quote.scheme(), quote.factor_bp)
    if call.wishes.price_percent != 100:
        terms = replace(terms, factor_bp=terms.factor_bp * call.wishes.price_percent // 100)
    return terms


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

"""What the answers of a batch used and cost in all, in the shape of OpenAI's batches; `cost` (dollars, as text) is ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Sum

from billing import money
from billing.metering.models import UsageEvent
from inference.later.models import Batch, Line

AT_ONCE = 500  # events that are looked up together
# As chat completions, completions and embeddings name them; and as responses do.
_READ, _WRITTEN = ("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")


def of(batch: Batch) -> dict[str, Any]:
    """The sum of the answers' own `usage`; the cost is what was billed, also for an answer that had to be made again."""
    read = written = cached = reasoning = nanos = 0
    lines = Line.objects.filter(batch=batch, status=200)
    numbers: list[int] = []
    for number, answer in lines.values_list("number", "answer").iterator():
        numbers.append(number)
        used = (answer or {}).get("usage") or {}
        read += _first(used, _READ)
        written += _first(used, _WRITTEN)
        cached += _first(_details(used, _READ), ("cached_tokens",))
        reasoning += _first(_details(used, _WRITTEN), ("reasoning_tokens",))
    for start in range(0, len(numbers), AT_ONCE):
        names = [operation_of(batch.pk, number) for number in numbers[start : start + AT_ONCE]]
        events = UsageEvent.objects.of_operations(*names)
        nanos += events.aggregate(sum=Sum("cost_nanos"))["sum"] or 0
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": read + written,
        "cost": money.decimal(nanos),
    }


def operation_of(batch_id: str, number: int) -> str:
    """What the attempts at one line have in common in the usage log."""
    return f"{batch_id}:{number}"


def _first(used: Mapping[str, Any], names: tuple[str, ...]) -> int:
    return next((int(used[name]) for name in names if used.get(name)), 0)


def _details(used: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    return next((used[f"{name}_details"] for name in names if used.get(f"{name}_details")), {})

"""What a worker does for a batch, a round at a time: reads its file, answers its lines, writes the answers."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import close_old_connections
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from billing import money
from billing.metering import operations
from inference import plan as planning
from inference.call import Call, Wishes
from inference.later import files, usage
from inference.later.batches import OPEN, WRITTEN_AT_ONCE, BatchInvalid, Endpoint, Endpoints, end, move, problem_at
from inference.later.models import Batch, File, Line
from inference.later.watch import LEASE, RENEW_S, Beside
from portal.accounts.keys.lookup import Caller, caller
from portal.accounts.models import Key
from portal.accounts.wire import problems
from portal.accounts.wire.json import loads
from portal.kit import ids
from portal.kit.errors import Problem

AT_ONCE, A_ROUND = 8, 64  # lines
MOST_ATTEMPTS = 3  # of a line that fails in a way that may pass
PAUSES = (
    timedelta(),
    timedelta(seconds=2),
    timedelta(seconds=10),
)  # before its next attempt, where nothing else is left


def waiting(now: datetime) -> bool:
    """Whether there is one to work on."""
    return Batch.objects.filter(_todo(now)).exists()


def claim(now: datetime) -> Batch | None:
    """The open batch that waited longest for its next round, now ours until its lease ends."""
    for batch in Batch.objects.filter(_todo(now)).order_by(F("leased_until").asc(nulls_first=True), "pk")[:10]:
        if Batch.objects.filter(_todo(now), pk=batch.pk).update(leased_until=now + LEASE):
            batch.refresh_from_db()
            return batch
    return None


def work(batch: Batch, endpoints: Endpoints) -> None:
    """One round of the batch. Gives the lease back: at once, or after a pause where all that is left has just failed."""
    pause = timedelta()
    try:
        with Beside(lambda: _alive(batch), RENEW_S):
            pause = _round(batch, endpoints)
    finally:
        Batch.objects.filter(pk=batch.pk).update(leased_until=timezone.now() + pause)


def _todo(now: datetime) -> Q:
    return Q(leased_until=None, state__in=OPEN) | Q(leased_until__lte=now, state__in=OPEN)


def _round(batch: Batch, endpoints: Endpoints) -> timedelta:
    """How long the next round should wait."""
    key = Key.objects.filter(pk=batch.key_id, revoked_at=None).first()
    if key is None:
        end(batch, "failed", [problem_at("The key is revoked.", None, "invalid_api_key")])
        return timedelta()
    who = caller(key)
    if batch.state == "validating":
        _validate(batch, who, endpoints[batch.endpoint])
        return timedelta()
    left = Line.objects.filter(batch=batch, status=None)
    over = batch.state != "in_progress" or batch.expires_at <= timezone.now()
    todo = [] if over else list(left.order_by("attempts", "number")[:A_ROUND])
    if not todo:
        _finish(batch, "cancelled" if "cancelling" in batch.times else "expired" if left.exists() else "completed")
        return timedelta()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda line: _answer(batch, line, who, endpoints[batch.endpoint]), todo))
    # What fails in a way that may pass comes last, and then not at once.
    fewest = left.aggregate(fewest=Min("attempts"))["fewest"]
    return PAUSES[min(fewest, len(PAUSES) - 1)] if fewest else timedelta()


def _validate(batch: Batch, who: Caller, endpoint: Endpoint) -> None:
    """Reads the file into lines; the batch goes on only if all of them could be run within its ceiling.

    Whoever reads it again after a crash writes the same lines. None of them runs before the last is written.
    """
    lines: list[Line] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    models: set[str] = set()
    most = count = 0
    with files.path_of(batch.input_file).open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            count += 1
            if count > settings.BATCH_MAX_LINES:
                errors.append(problem_at(f"The file has more than {settings.BATCH_MAX_LINES} lines.", number))
                break
            try:
                line, cost = _read(batch, number, raw, who, endpoint, seen)
            except Problem as problem:
                errors.append(problem_at(problem.message, number, problem.code, problem.param))
                if len(errors) >= 20:
                    break
                continue
            lines.append(line)
            models.add(str(line.body.get("model")))
            most += cost
            if len(lines) == WRITTEN_AT_ONCE:
                _write(batch, lines)
    _write(batch, lines)
    if not count:
        errors.append(problem_at("The file has no lines.", None))
    if batch.ceiling_nanos is not None and most > batch.ceiling_nanos:
        told = f"This batch may cost {money.show(most)}, more than its max_cost of {money.show(batch.ceiling_nanos)}."
        errors.append(problem_at(told, None, "max_cost_exceeded", "max_cost"))
    batch.most_nanos, model = most, models.pop() if len(models) == 1 else ""
    Batch.objects.filter(pk=batch.pk).update(most_nanos=most, model=model)
    if errors:
        Line.objects.filter(batch=batch).delete()
        end(batch, "failed", errors)
        return
    move(batch, "validating", "in_progress")


def _write(batch: Batch, lines: list[Line]) -> None:
    """Writes the lines and empties the list."""
    Line.objects.bulk_create(lines, batch_size=100, ignore_conflicts=True)
    lines.clear()


def _alive(batch: Batch) -> None:
    Batch.objects.filter(pk=batch.pk).update(leased_until=timezone.now() + LEASE)


def _read(batch: Batch, number: int, raw: bytes, who: Caller, endpoint: Endpoint, seen: set[str]) -> tuple[Line, int]:
    """The line, and what it may cost. Raises Problems that say what is wrong with it."""
    try:
        given = loads(raw)
    except Problem as problem:
        raise BatchInvalid(f"This line cannot be read. {problem.message}", code="invalid_json_line") from problem
    if not isinstance(given, dict) or not isinstance(given.get("body"), dict):
        raise BatchInvalid("A line is an object with custom_id, method, url and body.", code="invalid_line")
    custom_id = given.get("custom_id")
    if not isinstance(custom_id, str) or not custom_id or len(custom_id) > 512 or custom_id in seen:
        raise BatchInvalid("custom_id is a text that no other line has.", code="duplicate_custom_id", param="custom_id")
    if given.get("url", batch.endpoint) != batch.endpoint or given.get("method", "POST") != "POST":
        raise BatchInvalid(f"Every line is a POST to {batch.endpoint}.", code="mismatched_url", param="url")
    if given["body"].get("stream"):
        raise BatchInvalid("Batches do not stream.", code="invalid_line", param="body.stream")
    seen.add(custom_id)
    call = _call(batch, given["body"], who, endpoint, usage.operation_of(batch.pk, number), "")
    most = planning.plan(call, settings.UPSTREAM_TIMEOUT_S).most_nanos
    return Line(batch=batch, number=number, custom_id=custom_id, body=given["body"]), most


def _call(batch: Batch, body: Any, who: Caller, endpoint: Endpoint, operation: str, request_id: str) -> Call:
    paid = bool(request_id) and operations.take_over(operation)
    wishes = Wishes(operation_id=operation, paid=paid, price_percent=settings.BATCH_PRICE_PERCENT)
    return dataclasses.replace(endpoint.call_of(dict(body), who, request_id), wishes=wishes)


def _answer(batch: Batch, line: Line, who: Caller, endpoint: Endpoint) -> None:
    """Runs one line, on a thread of its own."""
    request_id = ids.make("req")
    try:
        call = _call(batch, line.body, who, endpoint, usage.operation_of(batch.pk, line.number), request_id)
        status, answer = 200, dict(endpoint.answer(call))
    except Exception as error:
        problem = problems.as_problem(error)
        status, answer = problem.status, problems.body(problem)
    change: dict[str, Any] = {"attempts": F("attempts") + 1, "answer": answer, "request_id": request_id}
    if not (status == 429 or status >= 500) or line.attempts + 1 >= MOST_ATTEMPTS:
        change["status"] = status
    Line.objects.filter(pk=line.pk, status=None).update(**change)
    close_old_connections()


def _finish(batch: Batch, state: str) -> None:
    """Writes the answers into files. Twice gives the same files under new ids, of which one pair is kept."""
    move(batch, batch.state, "finalizing")
    lines = Line.objects.filter(batch=batch).exclude(status=None).order_by("number")
    output = _file(batch, "output", lines.filter(status=200))
    failed = _file(batch, "error", lines.exclude(status=200))
    Batch.objects.filter(pk=batch.pk).update(output_file=output, error_file=failed, usage=usage.of(batch))
    end(batch, state, [])


def _file(batch: Batch, what: str, lines: QuerySet[Line]) -> File | None:
    if not lines.exists():
        return None
    rows = (_written(line) for line in lines.iterator(chunk_size=WRITTEN_AT_ONCE))
    return files.keep(batch.workspace_id, f"{batch.pk}_{what}.jsonl", f"batch_{what}", rows, most_bytes=None)


def _written(line: Line) -> bytes:
    response = {"status_code": line.status, "request_id": line.request_id, "body": line.answer}
    row = {"id": f"batch_req_{line.pk}", "custom_id": line.custom_id, "response": response, "error": None}
    return orjson.dumps(row) + b"\n"

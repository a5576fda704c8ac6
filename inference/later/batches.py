"""Batches: a file of requests in, a file of answers out. Each line is run and billed once, whatever dies in between."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import close_old_connections, transaction
from django.db.models import F, Q
from django.utils import timezone

from billing import money
from billing.metering.models import UsageEvent
from inference import plan as planning
from inference.call import Call, Wishes
from inference.later import deliveries, files, usage
from inference.later.models import Batch, File, Line
from portal.accounts.keys.lookup import Caller, caller
from portal.accounts.models import Key
from portal.accounts.wire import problems
from portal.kit import ids
from portal.kit.errors import Problem

ENDPOINTS = (
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/images/generations",
)  # fmt: skip
_FIELDS = ("input_file_id", "endpoint", "completion_window", "metadata", "max_cost")
WINDOW = timedelta(hours=24)
LEASE = timedelta(seconds=60)
AT_ONCE, A_ROUND = 8, 64  # lines
MOST_ATTEMPTS = 3  # of a line that fails in a way that may pass
_OPEN = ("validating", "in_progress", "finalizing", "cancelling")


class BatchInvalid(Problem):
    """A batch that cannot be."""

    status = 422
    code = "batch_invalid"


class BatchMissing(Problem):
    """The workspace has no such batch."""

    status = 404
    code = "batch_not_found"


class Endpoint:
    """How an address reads a body into a call, and answers it."""

    def __init__(
        self, call_of: Callable[[Any, Caller, str], Call], answer: Callable[[Call], Mapping[str, Any]]
    ) -> None:
        self.call_of, self.answer = call_of, answer


Endpoints = Mapping[str, Endpoint]


def create(who: Caller, given: Mapping[str, Any]) -> Batch:
    """A batch to be validated and run. Raises BatchInvalid and FileMissing."""
    for name in given:
        if name not in _FIELDS and given[name] is not None:  # output_expires_after, for one
            raise BatchInvalid(f"{name[:60]} is not carried here: leave it out.", param=f"/{name[:60]}")
    if given.get("endpoint") not in ENDPOINTS:
        raise BatchInvalid(f"endpoint is one of {', '.join(ENDPOINTS)}.", param="/endpoint")
    if given.get("completion_window", "24h") != "24h":
        raise BatchInvalid("completion_window is 24h.", param="/completion_window")
    metadata = given.get("metadata") or {}
    if not isinstance(metadata, dict) or len(metadata) > 16:
        raise BatchInvalid("metadata is an object with at most 16 pairs.", param="/metadata")
    for key, value in metadata.items():
        if len(key) > 64 or not isinstance(value, str) or len(value) > 512:
            raise BatchInvalid(
                "metadata has keys of at most 64 characters, and texts of at most 512.", param=f"/metadata/{key[:64]}"
            )
    file = files.of(who.workspace_id, str(given.get("input_file_id", "")))
    now = timezone.now()
    ceiling = given.get("max_cost")
    return Batch.objects.create(
        workspace_id=who.workspace_id,
        key_id=who.key_id,
        endpoint=given["endpoint"],
        input_file=file,
        metadata=metadata,
        ceiling_nanos=None if ceiling is None else money.parse(ceiling),
        times={"created": int(now.timestamp())},
        created_at=now,
        expires_at=now + WINDOW,
    )


def of(workspace_id: str, batch_id: str) -> Batch:
    """The workspace's own. Raises BatchMissing."""
    found = Batch.objects.filter(workspace_id=workspace_id, pk=batch_id).first()
    if found is None:
        raise BatchMissing("There is no such batch.")
    return found


def cancel(batch: Batch) -> Batch:
    """No more lines are begun; what was answered stays and is billed."""
    Batch.objects.filter(pk=batch.pk, state__in=("validating", "in_progress")).update(state="cancelling")
    batch.refresh_from_db()
    return batch


def counts(batch: Batch) -> dict[str, int]:
    """Lines in all, answered, and failed for good."""
    lines = Line.objects.filter(batch=batch)
    done = lines.exclude(status=None)
    failed = done.exclude(status=200).count()
    return {"total": lines.count(), "completed": done.count() - failed, "failed": failed}


def claim(now: datetime) -> Batch | None:
    """The oldest open batch whose lease nobody holds, now ours."""
    free = Q(leased_until=None) | Q(leased_until__lt=now)
    for batch in Batch.objects.filter(free, state__in=_OPEN).order_by("created_at", "pk")[:10]:
        if Batch.objects.filter(free, pk=batch.pk, state__in=_OPEN).update(leased_until=now + LEASE):
            batch.refresh_from_db()
            return batch
    return None


def work(batch: Batch, endpoints: Endpoints) -> bool:
    """One round of the batch; whether there is more to do. Gives the lease back."""
    try:
        return _round(batch, endpoints)
    finally:
        Batch.objects.filter(pk=batch.pk).update(leased_until=None)


def _round(batch: Batch, endpoints: Endpoints) -> bool:
    key = Key.objects.filter(pk=batch.key_id, revoked_at=None).first()
    if key is None:
        _end(
            batch,
            "failed",
            [{"code": "invalid_api_key", "message": "The key is revoked.", "line": None, "param": None}],
        )
        return False
    who = caller(key)
    if batch.state == "validating":
        _validate(batch, who, endpoints[batch.endpoint])
        return batch.state == "in_progress"
    if batch.state == "in_progress" and batch.expires_at <= timezone.now():
        _finish(batch, "expired")
        return False
    todo = list(Line.objects.filter(batch=batch, status=None).order_by("number")[:A_ROUND])
    if batch.state != "in_progress" or not todo:
        _finish(batch, "cancelled" if batch.state == "cancelling" else "completed")
        return False
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda line: _answer(batch, line, who, endpoints[batch.endpoint]), todo))
    return True


def _validate(batch: Batch, who: Caller, endpoint: Endpoint) -> None:
    """Reads the file into lines; the batch goes on only if all of them could be run within its ceiling."""
    lines: list[Line] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    most = 0
    with files.path_of(batch.input_file).open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            if number > settings.BATCH_MAX_LINES:
                errors.append(_error(f"At most {settings.BATCH_MAX_LINES} lines.", number))
                break
            try:
                line, cost = _read(batch, number, raw, who, endpoint, seen)
            except Problem as problem:
                errors.append(_error(problem.message, number, problem.code, problem.param))
                if len(errors) >= 20:
                    break
                continue
            lines.append(line)
            most += cost
    if not lines and not errors:
        errors.append(_error("The file has no lines.", None))
    if batch.ceiling_nanos is not None and most > batch.ceiling_nanos:
        told = f"This batch may cost {money.show(most)}, more than its max_cost of {money.show(batch.ceiling_nanos)}."
        errors.append(_error(told, None, "max_cost_exceeded", "max_cost"))
    batch.most_nanos, names = most, {line.body.get("model") for line in lines}
    model = str(names.pop()) if len(names) == 1 else ""
    Batch.objects.filter(pk=batch.pk).update(most_nanos=most, model=model)
    if errors:
        _end(batch, "failed", errors)
        return
    with transaction.atomic():
        Line.objects.filter(batch=batch).delete()
        Line.objects.bulk_create(lines, batch_size=500)
        _move(batch, "validating", "in_progress")


def _read(batch: Batch, number: int, raw: bytes, who: Caller, endpoint: Endpoint, seen: set[str]) -> tuple[Line, int]:
    """The line, and what it may cost. Raises Problems that say what is wrong with it."""
    try:
        given = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BatchInvalid("This line is not JSON.", code="invalid_json_line") from error
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
    paid = bool(request_id) and UsageEvent.objects.filter(operation_id=operation).exclude(status="failed").exists()
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
    Batch.objects.filter(pk=batch.pk).update(leased_until=timezone.now() + LEASE)
    close_old_connections()


def _finish(batch: Batch, state: str) -> None:
    """Writes the answers into files. Twice gives the same files under new ids, of which one pair is kept."""
    _move(batch, batch.state, "finalizing")
    lines = Line.objects.filter(batch=batch).exclude(status=None).order_by("number")
    output = _file(batch, "output", [_written(line) for line in lines.filter(status=200).iterator()])
    failed = _file(batch, "error", [_written(line) for line in lines.exclude(status=200).iterator()])
    Batch.objects.filter(pk=batch.pk).update(output_file=output, error_file=failed, usage=usage.of(batch))
    _end(batch, state, [])


def _file(batch: Batch, what: str, rows: list[bytes]) -> File | None:
    if not rows:
        return None
    return files.keep(batch.workspace_id, f"{batch.pk}_{what}.jsonl", f"batch_{what}", rows)


def _written(line: Line) -> bytes:
    response = {"status_code": line.status, "request_id": line.request_id, "body": line.answer}
    row = {"id": f"batch_req_{line.pk}", "custom_id": line.custom_id, "response": response, "error": None}
    return orjson.dumps(row) + b"\n"


def _move(batch: Batch, before: str, after: str) -> None:
    times = {**batch.times, after: int(timezone.now().timestamp())}
    if Batch.objects.filter(pk=batch.pk, state=before).update(state=after, times=times):
        batch.state, batch.times = after, times
    else:
        batch.refresh_from_db()


def _end(batch: Batch, state: str, errors: list[dict[str, Any]]) -> None:
    times = {**batch.times, state: int(timezone.now().timestamp())}
    with transaction.atomic():
        open_still = Batch.objects.filter(pk=batch.pk, state__in=_OPEN)
        if open_still.update(state=state, times=times, errors=errors):
            deliveries.queue(batch.workspace_id, "batch.completed", {"id": batch.pk, "status": state})
    batch.refresh_from_db()


def _error(message: str, line: int | None, code: str = "batch_invalid", param: str | None = None) -> dict[str, Any]:
    return {"code": code, "line": line, "message": message, "param": param}

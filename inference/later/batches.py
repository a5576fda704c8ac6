"""Batches: a file of requests in, a file of answers out. Each line is run and billed once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from billing import money
from inference.call import Call
from inference.later import deliveries, files
from inference.later.models import Batch, Line
from portal.accounts.keys.lookup import Caller
from portal.kit.errors import Problem

ENDPOINTS = (
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/images/generations",
)  # fmt: skip
_FIELDS = ("input_file_id", "endpoint", "completion_window", "metadata", "max_cost")
WINDOW = timedelta(hours=24)
MOST_METADATA = 16
WRITTEN_AT_ONCE = 500  # lines of a file in memory
OPEN = ("validating", "in_progress", "finalizing", "cancelling")


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


def create(batch_id: str, who: Caller, given: Mapping[str, Any]) -> Batch:
    """A batch to be validated and run; twice makes one. Raises BatchInvalid and FileMissing."""
    for name in given:
        if name not in _FIELDS and given[name] is not None:  # output_expires_after, for one
            raise BatchInvalid(f"{name[:60]} is not carried here: leave it out.", param=f"/{name[:60]}")
    if given.get("endpoint") not in ENDPOINTS:
        raise BatchInvalid(f"endpoint is one of {', '.join(ENDPOINTS)}.", param="/endpoint")
    if given.get("completion_window", "24h") != "24h":
        raise BatchInvalid("completion_window is 24h.", param="/completion_window")
    metadata = given.get("metadata") or {}
    if not isinstance(metadata, dict) or len(metadata) > MOST_METADATA:
        raise BatchInvalid(f"metadata is an object with at most {MOST_METADATA} pairs.", param="/metadata")
    for key, value in metadata.items():
        if len(key) > 64 or not isinstance(value, str) or len(value) > 512:
            raise BatchInvalid(
                "metadata has keys of at most 64 characters, and texts of at most 512.", param=f"/metadata/{key[:64]}"
            )
    file = files.of(who.workspace_id, str(given.get("input_file_id", "")))
    if file.purpose == "fine-tune":
        raise BatchInvalid("This file is for fine-tuning: upload it with the purpose batch.", param="/input_file_id")
    now = timezone.now()
    ceiling = given.get("max_cost")
    return Batch.objects.get_or_create(
        pk=batch_id,
        workspace_id=who.workspace_id,
        defaults={
            "key_id": who.key_id,
            "endpoint": given["endpoint"],
            "input_file": file,
            "metadata": metadata,
            "ceiling_nanos": None if ceiling is None else money.parse(ceiling),
            "times": {"created": int(now.timestamp())},
            "created_at": now,
            "expires_at": now + WINDOW,
        },
    )[0]


def of(workspace_id: str, batch_id: str) -> Batch:
    """The workspace's own. Raises BatchMissing."""
    found = Batch.objects.filter(workspace_id=workspace_id, pk=batch_id).first()
    if found is None:
        raise BatchMissing("There is no such batch.")
    return found


def cancel(batch: Batch) -> Batch:
    """No more lines are begun; what was answered stays and is billed."""
    for state in ("validating", "in_progress"):
        move(batch, state, "cancelling")
    return batch


def retry(batch_id: str, who: Caller, batch: Batch, ceiling: Any = None) -> Batch:
    """A new batch of those lines of an ended one that have no answer; twice makes one. Raises BatchInvalid."""
    left = Line.objects.filter(batch=batch).exclude(status=200).order_by("number")
    if batch.state in OPEN:
        raise BatchInvalid("This batch is still at work: retry what is left of it when it has ended.", status=409)
    if not left.exists():
        raise BatchInvalid("Nothing is left of this batch: every line was answered, or none was ever accepted.")
    rows = (
        orjson.dumps({"custom_id": line.custom_id, "method": "POST", "url": batch.endpoint, "body": line.body}) + b"\n"
        for line in left.iterator(chunk_size=WRITTEN_AT_ONCE)
    )
    file = files.keep(batch.workspace_id, f"{batch.pk}_retry.jsonl", "batch", rows)
    metadata = {**dict(list(batch.metadata.items())[: MOST_METADATA - 1]), "retry_of": batch.pk}
    given = {"endpoint": batch.endpoint, "input_file_id": file.pk, "metadata": metadata, "max_cost": ceiling}
    return create(batch_id, who, given)


def counts(batch: Batch) -> dict[str, int]:
    """Lines in all, answered, and failed for good."""
    lines = Line.objects.filter(batch=batch)
    done = lines.exclude(status=None)
    failed = done.exclude(status=200).count()
    return {"total": lines.count(), "completed": done.count() - failed, "failed": failed}


def move(batch: Batch, before: str, after: str) -> None:
    """Into the state, if it is in the one before."""
    times = {**batch.times, after: int(timezone.now().timestamp())}
    if Batch.objects.filter(pk=batch.pk, state=before).update(state=after, times=times):
        batch.state, batch.times = after, times
    else:
        batch.refresh_from_db()


def end(batch: Batch, state: str, errors: list[dict[str, Any]]) -> None:
    """Ends it, once, and tells the workspace."""
    times = {**batch.times, state: int(timezone.now().timestamp())}
    with transaction.atomic():
        open_still = Batch.objects.filter(pk=batch.pk, state__in=OPEN)
        if open_still.update(state=state, times=times, errors=errors):
            deliveries.queue(batch.workspace_id, "batch.completed", {"id": batch.pk, "status": state})
    batch.refresh_from_db()


def problem_at(message: str, line: int | None, code: str = "batch_invalid", param: str | None = None) -> dict[str, Any]:
    """What is wrong, as OpenAI writes it."""
    return {"code": code, "line": line, "message": message, "param": param}

"""A server that dies between making a prediction or a batch and keeping its answer: who repeats the request gets the one."""

from __future__ import annotations

import json
import uuid
from typing import Any

import openai
import pytest

from tests.fixtures.serving import Installation

LATER = {"input": {"messages": [{"role": "user", "content": "hello"}]}}
LINE = {
    "custom_id": "a",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": "bench/m", **LATER["input"]},
}
FORGET = """
from datetime import timedelta
from inference.idempotency.models import KeptAnswer
row = KeptAnswer.objects.latest("created_at")
row.status, row.body, row.process, row.until = None, b"", "a machine that is gone:1", row.created_at - timedelta(seconds=1)
row.save()
"""


def batch_of(installation: Installation) -> dict[str, Any]:
    client = openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key)
    file = client.files.create(file=("lines.jsonl", json.dumps(LINE).encode()), purpose="batch").id
    return {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}


@pytest.mark.parametrize(
    ("path", "listed"), [("/v1/models/bench/m/predictions", "/v1/predictions"), ("/v1/batches", "/v1/batches")]
)
def test_one_is_made_and_told_again(installation: Installation, path: str, listed: str) -> None:
    body = batch_of(installation) if "batches" in path else LATER
    headers = {"Idempotency-Key": uuid.uuid4().hex, "Prefer": "respond-async"}

    def known() -> set[str]:
        _, answer, _ = installation.call(listed)
        return {row["id"] for row in answer["data" if "data" in answer else "results"]}

    before = known()
    status, first, _ = installation.call(path, body, **headers)
    assert status in (200, 202)
    installation.manage("shell", "-v0", "-c", FORGET)
    status, again, said = installation.call(path, body, **headers)
    assert status in (200, 202)
    assert "idempotent-replayed" not in said, "nothing was kept: it ran again"
    assert again["id"] == first["id"]
    assert known() - before == {first["id"]}
    other = installation.call(path, body, **{**headers, "Idempotency-Key": uuid.uuid4().hex})[1]
    assert other["id"] != first["id"]

"""A single request whose month is archived: found by its ids, or it is said why not."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from billing.metering import archive
from billing.metering.models import UsageEvent
from billing.statements import generations
from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.models import Workspace
from portal.kit import ids
from tests.billing.metering.test_old_usage_is_archived import NOW, OLD, in_folder

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_folder_of_its_own(tmp_path: Path, settings: LazySettings) -> None:
    in_folder(tmp_path, settings)


def one(workspace: Workspace, at: datetime, **given: Any) -> UsageEvent:
    fields = {
        "id": ids.of_attempt("use", str(at), at), "request_id": "r", "workspace_id": workspace.pk, "model": "a/b",
        "version_id": "v", "protocol": "openai", "units": {}, "price_id": "", "cost_nanos": 5, "latency_ms": 1,
        "recorded_at": at, **given,
    }  # fmt: skip
    event = UsageEvent(**fields)
    event.save()
    return event


def test_single_requests_are_found_in_files(workspace: Workspace) -> None:
    request_id = ids.of_attempt("req", "x", OLD)
    event = one(workspace, OLD + timedelta(seconds=3), request_id=request_id)
    archive.archive(NOW)
    for some_id in (request_id, event.pk):
        assert [found.pk for found in generations.found(workspace.pk, some_id)] == [event.pk]
        assert generations.found("ws_other", some_id) == []


def test_all_attempts_at_an_operation_are_found_though_a_part_of_them_is_archived(workspace: Workspace) -> None:
    evening = NOW.replace(month=1, day=31, hour=23, year=2025)  # its month is archived in March 2026, the next is not
    prediction = ids.of_attempt("pred", "x", evening)
    line = ids.of_attempt("batch", "y", evening) + ":7"
    made = {
        name: [
            one(workspace, evening + timedelta(minutes=1), operation_id=name, id=f"use_{name}1"[:40]).pk,
            one(workspace, evening + timedelta(hours=20), operation_id=name, id=f"use_{name}2"[-40:], cost_nanos=0).pk,
        ]
        for name in (prediction, line)
    }
    assert archive.archive(NOW) == 2
    assert UsageEvent.objects.count() == 2
    for name, attempts in made.items():
        assert [event.pk for event in generations.found(workspace.pk, name)] == attempts
        assert generations.found("ws_other", name) == []


def test_who_asks_for_an_archived_operation_by_a_name_without_a_time_is_told_why_not(workspace: Workspace) -> None:
    def told(name: str) -> tuple[int, str]:
        answer = Client().get(f"/v1/generations/{name}", headers={"authorization": f"Bearer {secret}"})
        return answer.status_code, answer.json().get("error", {}).get("message", "")

    secret = issue(workspace, "reads", limits=Limits(scopes=["usage"]))[1]
    one(workspace, OLD, operation_id="my-job-7")
    assert told("my-job-7")[0] == 200
    assert "archived" not in told("my-job-8")[1]
    archive.archive(NOW)
    status, message = told("my-job-7")
    assert status == 404
    assert "Usage until 2024-02 is archived" in message
    assert "archived" not in told(ids.make("pred"))[1], "this one would have been found"
    assert told("pred_" + "7" + "z" * 25)[0] == 404, "an id of a far future"

"""The console's list of usage: no count of the whole table, no search that reads it all."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.admin import records
from billing.metering.models import UsageEvent
from portal.accounts.models import User
from tests.fixtures.people import signed_in


@pytest.fixture
def operator(transactional_db: None) -> User:
    return User.objects.create_superuser("root@example.com", "a-long-Passw0rd")


def make(count: int) -> None:
    UsageEvent.objects.bulk_create(
        UsageEvent(
            id=f"use_{n:04}", request_id=f"req_{n}", workspace_id=f"ws_{n % 2}", model="a/b", version_id="v", units={},
            protocol="openai", price_id="", cost_nanos=1, latency_ms=1, recorded_at=timezone.now(),
        )
        for n in range(count)
    )  # fmt: skip


def test_pages_are_counted_only_as_far_as_they_go(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_COUNTED", 200)
    make(450)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        page = signed_in(operator).get("/admin/billing/usageevent/")
    assert page.status_code == 200
    assert page.context["cl"].paginator.count == 200
    counts = [query["sql"] for query in asked if "COUNT(" in query["sql"] and "billing_usageevent" in query["sql"]]
    assert counts
    assert all("LIMIT 200" in sql for sql in counts)


def test_an_event_is_found_by_its_whole_id(operator: User) -> None:
    make(5)
    page = signed_in(operator).get("/admin/billing/usageevent/?q=use_0003")
    assert [event.pk for event in page.context["cl"].result_list] == ["use_0003"]
    assert not signed_in(operator).get("/admin/billing/usageevent/?q=use_000").context["cl"].result_list

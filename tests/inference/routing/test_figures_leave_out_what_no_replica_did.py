"""Answers from memory are requests, but nobody's latency."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.metering import rollups
from billing.metering.models import Rollup
from inference import settling
from inference.routing import figures
from portal.accounts.keys.lookup import Caller


@pytest.mark.django_db(transaction=True)
def test_an_answer_from_memory_counts_as_a_request_and_not_in_the_figures() -> None:
    ran = settling.Ran("bench/remembered", "ver_1", "openai")
    settling.remembered(ran, "req_1", Caller("key_1", "ws_1", 0), "op")
    now = timezone.now()
    figures.sum_up(now)
    found = figures.of("bench/remembered", now - timedelta(hours=1), now + timedelta(minutes=5))
    assert (found.served, found.failed, found.p50) == (0, 0, None)
    rollups.roll_up(now + timedelta(seconds=1))
    rows = Rollup.objects.filter(model="bench/remembered")
    assert [(row.requests, row.cost_nanos) for row in rows] == [(1, 0)]

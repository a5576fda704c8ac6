"""`python -m benchmarks usage` with few events: it fills the tables as the product does, and every page answers."""

from __future__ import annotations

import pytest

from benchmarks import usage
from tests.fixtures.commands import manage

DIFFERENCES = "from billing.metering import rollups; print(rollups.differences())"


@pytest.mark.slow
def test_what_it_fills_adds_up_and_every_page_is_timed() -> None:
    with usage.sqlite() as env:
        found = usage.measured(env, few=1_000, many=4_000)
        assert manage(env, "shell", "-v0", "-c", DIFFERENCES) == (0, "[]\n", "")
    assert found["ingest"]["64"]["events_per_s"] > 0
    assert found["few"].keys() == found["many"].keys() >= {"usage page", "request log, deep", "statement of 30 days"}
    assert min(found["few"].values()) > 0

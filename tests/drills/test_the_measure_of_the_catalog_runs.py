"""`python -m benchmarks catalog` with few models: each search finds what it should, and each page answers."""

from __future__ import annotations

import pytest

from benchmarks import catalog, usage


@pytest.mark.slow
def test_every_search_and_page_is_timed() -> None:
    with usage.sqlite() as env:
        found = catalog.measured(env, 2_000)
    assert found["models"] == 2_000
    assert found["search"]["all models"]["found"] == 1_960  # the others are private
    for name in ("a common word", "mistyped", "mistyped twice", "Chinese", "a sentence", "publisher/name"):
        assert found["search"][name]["found"] > 0, name
    assert found["search"]["nothing"]["found"] == 0
    assert found["by_meaning"]["nothing"]["found"] > 0
    for search in ("search", "by_meaning"):
        assert max(one["p50"] for one in found[search].values()) < 100
    assert all(one["p50"] > 0 for one in found["pages"].values())

"""What tasks say reaches translators, though tasks know no Django."""

from __future__ import annotations

import pytest

from marketplace.tasks import registry
from tests.house.tree import ROOT


@pytest.fixture(scope="module")
def marked() -> str:
    """The source of all tasks, without the space that only formats it."""
    texts = (file.read_text() for file in sorted((ROOT / "marketplace" / "tasks").glob("*.py")))
    return "".join("".join(texts).split())


@pytest.mark.parametrize("name", registry.TASKS)
def test_a_tasks_title_summary_and_metrics_are_marked_where_they_are_declared(name: str, marked: str) -> None:
    task = registry.get(name)
    for words in (task.title, task.summary, *(metric.label for metric in task.metrics)):
        assert f'_("{"".join(words.split())}")' in marked

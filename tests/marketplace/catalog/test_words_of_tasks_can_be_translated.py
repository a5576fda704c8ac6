"""What tasks say reaches translators, though tasks know no Django."""

from __future__ import annotations

import pytest
from django.utils.translation import gettext, override

from marketplace.catalog.words import WORDS
from marketplace.tasks import registry


@pytest.mark.parametrize("name", registry.TASKS)
def test_a_tasks_title_and_metrics_are_translated(name: str) -> None:
    task = registry.get(name)
    for word in (task.title, *(metric.label for metric in task.metrics)):
        assert word in WORDS
        with override("zh-hans"):
            assert gettext(word) != word

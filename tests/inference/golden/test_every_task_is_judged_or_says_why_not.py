"""A task either has a judge, with a sample that its own schema takes, or a reason why there is none."""

from __future__ import annotations

import pytest

from inference.golden import files, samples, sets
from inference.golden.judges.registry import JUDGES, UNJUDGED
from marketplace.tasks import registry


def test_every_task_is_judged_or_says_why_not() -> None:
    missing = [name for name in registry.TASKS if name not in JUDGES and name not in UNJUDGED]
    assert not missing, "give it a judge in inference/golden/judges, or a reason in UNJUDGED"
    assert not JUDGES.keys() & UNJUDGED.keys()
    assert all(str(why).strip() for why in UNJUDGED.values())


@pytest.mark.parametrize("task", sets.judged())
@pytest.mark.parametrize("form", samples.FORMS)
def test_a_sample_of_each_can_be_uploaded_as_it_was_downloaded(task: str, form: str) -> None:
    read = files.of_file(task, f"sample.{form}", samples.file(task, form))
    straight = files.of_list(task, samples.of(task))
    assert [one.slices for one in read] == [one.slices for one in straight]
    judge = JUDGES[task]
    assert [judge.expected(one.expected) for one in read] == [one.expected for one in straight]
    assert len(read) == len(samples.of(task)) >= 1


@pytest.mark.parametrize("task", sets.judged())
def test_the_first_figure_is_one_of_the_tasks_own_where_it_has_any(task: str) -> None:
    own = {metric.name for metric in registry.get(task).metrics}
    judged = [one.metric.name for one in JUDGES[task].measures]
    assert len(set(judged)) == len(judged)
    if own and task != "text-generation":  # its own figures need the chance of each character, which no answer tells
        assert own & set(judged)

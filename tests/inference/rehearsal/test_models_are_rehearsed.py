"""What a publisher sent is inspected, loaded, asked and measured behind walls; whatever it does, the portal tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.hostile import NEEDS_WALLS
from tests.fixtures.submissions import Submit, message, statuses

pytestmark = [NEEDS_WALLS]


def test_a_good_model_passes_every_check(submit: Submit, doubler: Path) -> None:
    submission = submit(doubler)
    for one in submission.evidence.all():
        print(one, one.figure, one.values)
    assert submission.state == "passed", [(c, message(submission, c)) for c in statuses(submission)]

"""Ids that people see."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest

from portal.kit import ids


def test_an_id_is_a_uuid_of_version_7_with_its_prefix() -> None:
    made = ids.make("use")
    read = ids.parse(made, "use")
    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert abs((read.int >> 80) / 1000 - time.time()) < 5


def test_later_ids_sort_after_earlier_ones() -> None:
    first = ids.make("use")
    time.sleep(0.002)
    assert first < ids.make("use")


def test_an_attempt_has_one_id_and_another_operation_or_time_another() -> None:
    then = datetime(2026, 11, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    made = ids.of_attempt("pred", "name", then)
    assert made == ids.of_attempt("pred", "name", then.astimezone(timezone(timedelta(hours=8))))
    read = ids.parse(made, "pred")
    assert (read.version, read.variant, read.int >> 80) == (7, uuid.RFC_4122, int(then.timestamp() * 1000))
    others = {ids.of_attempt("pred", "other", then), ids.of_attempt("pred", "name", then + timedelta(hours=25))}
    assert len(others - {made}) == 2
    assert made < ids.make("pred")


@pytest.mark.parametrize("text", ["", "use_", "key_0123", "use_" + "u" * 26, "use_" + "z" * 26])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="id"):
        ids.parse(text, "use")

"""Ids that people see."""

from __future__ import annotations

import time
import uuid

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


@pytest.mark.parametrize("text", ["", "use_", "key_0123", "use_" + "u" * 26, "use_" + "z" * 26])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="id"):
        ids.parse(text, "use")

"""What can be uploaded, by the ending of its name: tables, and albums of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marketplace.training.recipes.datasets import album_profile, profile, reading

ALBUM = "zip"
FORMS = (*reading.FORMS, ALBUM)


def examined(path: Path, form: str) -> dict[str, Any]:
    """The profile of what was uploaded, all of which was read. Raises Unreadable."""
    return album_profile.profile(path) if form == ALBUM else profile.profile(reading.read(path, form))

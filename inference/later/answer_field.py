"""What models and upstreams say, kept as JSON that every store takes."""

from __future__ import annotations

from typing import Any

from django.db import models

NUL, INSTEAD = "\0", "\ufffd"


class AnswerField(models.JSONField):
    """JSON in which a character U+0000, which PostgreSQL refuses, is kept as U+FFFD: an answer that was paid for is not lost."""

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(_without_nul(value))

    def deconstruct(self) -> Any:
        """To migrations it is the column that it is."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(NUL, INSTEAD)
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(inner) for name, inner in value.items()}
    return [_without_nul(inner) for inner in value] if isinstance(value, list) else value

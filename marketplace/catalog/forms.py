"""The console's form that announces what will go."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils import timezone

from marketplace.catalog import retiring
from marketplace.catalog.models import Retirement


class RetirementForm(forms.ModelForm):  # type: ignore[type-arg] # generic for the type checker only
    """What goes, when, why, and what follows it."""

    class Meta:
        model = Retirement
        fields: ClassVar[list[str]] = ["model", "version", "ends_at", "successor", "reason"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors:
            try:
                retiring.check(given["model"], given["version"], given["ends_at"], timezone.now(), given["successor"])
            except retiring.RetirementInvalid as problem:
                self.add_error(problem.param, problem.message)
        return given

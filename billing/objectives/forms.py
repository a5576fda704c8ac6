"""Publishing an objective in the console."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.objectives.models import Objective


class ObjectiveForm(forms.ModelForm):  # type: ignore[type-arg] # stubs want the model twice
    """Refuses what promises nothing, and what would judge days that have begun."""

    class Meta:
        model = Objective
        fields = ["model", "starts_on", "uptime_bp", "p95_ms", "empty_bp", "credit_bp", "least_requests"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if all(given.get(name) is None for name in ("uptime_bp", "p95_ms", "empty_bp")):
            raise forms.ValidationError(_("Promise something: answers, latency or empty answers."))
        if not given.get("credit_bp"):
            self.add_error("credit_bp", _("Say what is credited: 1000 is 10 %."))
        starts_on = given.get("starts_on")
        if starts_on is not None and starts_on <= timezone.now().date():
            self.add_error("starts_on", _("A promise holds from tomorrow at the earliest: today has begun already."))
        return given

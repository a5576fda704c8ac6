"""A price as an operator writes it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.prices.forms import SchemeForm
from portal.accounts.models import Workspace

_MOMENT = {"type": "datetime-local", "step": "60"}


class PriceForm(SchemeForm):
    """A price; when it starts; whom it is for."""

    starts_at = forms.DateTimeField(
        label=_("From (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs=_MOMENT),
        help_text=_("Empty: as soon as may be. A rise of a model in use is announced first."),
    )
    grandfather_until = forms.DateTimeField(
        label=_("Earlier customers keep their price until (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs=_MOMENT),
    )
    workspace = forms.SlugField(
        label=_("Only for the workspace"), required=False, help_text=_("Its slug: a negotiated price.")
    )
    ends_at = forms.DateTimeField(
        label=_("A negotiated price ends (UTC)"), required=False, widget=forms.DateTimeInput(attrs=_MOMENT)
    )

    def of_time(self) -> Iterator[forms.BoundField]:
        """The fields that say when and for whom."""
        yield from (self[name] for name in ("starts_at", "grandfather_until", "workspace", "ends_at"))

    def clean_workspace(self) -> Workspace | None:
        """The workspace of the slug."""
        slug = self.cleaned_data["workspace"]
        found = Workspace.objects.filter(slug=slug).first() if slug else None
        if slug and found is None:
            raise forms.ValidationError(_("There is no workspace with this slug."))
        return found

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if given.get("ends_at") and not given.get("workspace"):
            self.add_error("ends_at", _("Only a negotiated price ends: say with which workspace."))
        if given.get("workspace") and given.get("grandfather_until"):
            self.add_error("grandfather_until", _("A negotiated price has no earlier customers."))
        starts_at: datetime | None = given.get("starts_at")
        if starts_at is not None and starts_at < timezone.now():
            self.add_error("starts_at", _("This time has passed: leave it empty for now."))
        return given

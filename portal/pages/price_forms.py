"""A price as an operator writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.errors import MoneyInvalid
from billing.prices import notation, scrutiny
from billing.prices.quote import Scheme, Tiers
from billing.prices.units import UNITS
from portal.accounts.models import Workspace

_MOMENT = {"type": "datetime-local", "step": "60"}
MOST_CHARACTERS = 600  # of one unit's tiers


class PriceForm(forms.Form):
    """One field a unit, in billing.prices.notation; when it starts; whom it is for."""

    minimum = forms.CharField(label=_("At least, a request ($)"), required=False, max_length=30)
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

    def __init__(self, data: Mapping[str, Any] | None = None, *, scheme: Scheme | None = None) -> None:
        initial: dict[str, str] = {}
        if scheme is not None:
            initial = {f"unit_{unit}": notation.write(scheme, unit) for unit in UNITS}
            initial["minimum"] = money.decimal(scheme.minimum_nanos) if scheme.minimum_nanos else ""
        super().__init__(data, initial=initial)
        for unit in UNITS.values():
            label = _("$ / %(unit)s") % {"unit": unit.label}
            self.fields[f"unit_{unit.name}"] = forms.CharField(label=label, required=False, max_length=MOST_CHARACTERS)

    def of_units(self) -> Iterator[forms.BoundField]:
        """The fields with amounts."""
        yield from (self[f"unit_{unit}"] for unit in UNITS)
        yield self["minimum"]

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
        given = super().clean() or {}
        rates: dict[str, int] = {}
        tiers: dict[str, Tiers] = {}
        minimum = 0
        for unit in UNITS:
            try:
                read = notation.read(given.get(f"unit_{unit}", ""), unit)
            except MoneyInvalid as error:
                self.add_error(f"unit_{unit}", error.message)
                continue
            if isinstance(read, Tiers):
                tiers[unit] = read
            elif read is not None:
                rates[unit] = read
        try:
            minimum = notation.amount(given.get("minimum") or "0")
        except MoneyInvalid as error:
            self.add_error("minimum", error.message)
        if not self.errors:
            given["scheme"] = scheme = Scheme(rates, tiers, minimum)
            try:
                scrutiny.check(scheme)
            except MoneyInvalid as error:
                self.add_error(f"unit_{error.param}" if error.param in UNITS else None, error.message)
        if given.get("ends_at") and not given.get("workspace"):
            self.add_error("ends_at", _("Only a negotiated price ends: say with which workspace."))
        if given.get("workspace") and given.get("grandfather_until"):
            self.add_error("grandfather_until", _("A negotiated price has no earlier customers."))
        starts_at: datetime | None = given.get("starts_at")
        if starts_at is not None and starts_at < timezone.now():
            self.add_error("starts_at", _("This time has passed: leave it empty for now."))
        return given

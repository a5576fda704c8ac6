"""A price as a person writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.errors import MoneyInvalid
from billing.prices import notation, scrutiny
from billing.prices.quote import Scheme, Tiers
from billing.prices.units import UNITS

MOST_CHARACTERS = 600  # of one unit's tiers


class SchemeForm(forms.Form):
    """One field a unit, in billing.prices.notation, and the least that a request costs. Clean, it has a `scheme`."""

    use_required_attribute = False

    minimum = forms.CharField(label=_("At least, a request ($)"), required=False, max_length=30)

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
        return given

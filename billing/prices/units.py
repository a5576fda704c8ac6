"""What can be billed. Adding a unit is a line here, and an engine that counts it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Unit:
    """A countable thing. Prices are shown by `per` of them."""

    name: str
    per: int
    label: str | Promise  # of `per` units, after "/"


UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        Unit("request", 1, _("request")),
        Unit("input_token", 1_000_000, _("1M input tokens")),
        Unit("output_token", 1_000_000, _("1M output tokens")),
        Unit("image", 1, _("image")),
        Unit("row", 1, _("row")),
        Unit("second", 1, _("second")),
    )
}

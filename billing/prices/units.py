"""What can be billed. Adding a unit is a line here, and an engine that counts it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Unit:
    """A countable thing. Prices are shown by `per` of them; a price that does not name it bills it as `instead`."""

    name: str
    per: int
    label: str | Promise  # of `per` units, after "/"
    instead: str = ""


UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        Unit("request", 1, _("request")),
        Unit("input_token", 1_000_000, _("1M input tokens")),
        # Read from the upstream's cache; input_token then counts the rest only.
        Unit("cached_input_token", 1_000_000, _("1M cached input tokens"), instead="input_token"),
        Unit("output_token", 1_000_000, _("1M output tokens")),
        Unit("image", 1, _("image")),
        # Counted finely, so that nobody pays for what an upstream's size or a clock rounds up.
        Unit("pixel", 1_000_000, _("megapixel")),
        Unit("millisecond", 1_000, _("second of compute")),
        Unit("row", 1, _("row")),
    )
}

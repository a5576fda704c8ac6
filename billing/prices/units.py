"""What can be billed. Adding a unit is a line here, and an engine that counts it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy


@dataclass(frozen=True)
class Unit:
    """A countable thing. Prices are shown by `per` of them; a price that does not name it bills it as `instead`."""

    name: str
    per: int
    label: str | Promise  # of `per` units, after "/"
    words: Promise  # of one, of `n`: see `word`
    instead: str = ""

    def word(self, n: int = 1) -> str:
        """The unit's name after so many of them."""
        return str(self.words % {"n": n})


UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        Unit("request", 1, _("request"), ngettext_lazy("request", "requests", "n")),
        Unit("input_token", 1_000_000, _("1M input tokens"), ngettext_lazy("input token", "input tokens", "n")),
        # Read from the upstream's cache; input_token then counts the rest only.
        Unit(
            "cached_input_token",
            1_000_000,
            _("1M cached input tokens"),
            ngettext_lazy("cached input token", "cached input tokens", "n"),
            instead="input_token",
        ),
        Unit("output_token", 1_000_000, _("1M output tokens"), ngettext_lazy("output token", "output tokens", "n")),
        Unit("image", 1, _("image"), ngettext_lazy("image", "images", "n")),
        # Counted finely, so that nobody pays for what an upstream's size or a clock rounds up.
        Unit("pixel", 1_000_000, _("megapixel"), ngettext_lazy("pixel", "pixels", "n")),
        Unit("millisecond", 1_000, _("second of compute"), ngettext_lazy("millisecond", "milliseconds", "n")),
        Unit("row", 1, _("row"), ngettext_lazy("row", "rows", "n")),
    )
}

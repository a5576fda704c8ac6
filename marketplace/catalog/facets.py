"""What a search can be narrowed by: each facet's choices, how many models each would leave, and which are chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from numpy.typing import NDArray

from marketplace.catalog.languages import native
from marketplace.catalog.shelf import Codes, Shelf
from marketplace.tasks import registry

Mask = NDArray[np.bool_]
SHOWN = 40  # choices of a facet, besides those that are chosen
CENT = 10**7  # nano-dollars


@dataclass(frozen=True, slots=True)
class Choice:
    """One value: its name in addresses, the words for people (`None`: the value itself), and how many models have it."""

    value: str
    label: str | Promise
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A column with values. `masks`: value → rows that have it, for those values alone that are asked for."""

    name: str
    label: str | Promise
    mask: Callable[[Shelf, str], Mask]
    counts: Callable[[Shelf, Mask], Sequence[tuple[str, str | Promise, int]]]  # value, words, rows; in order

    def chosen(self, shelf: Shelf, values: Sequence[str]) -> Mask:
        """Rows that have one of the values."""
        found: Mask = np.zeros(len(shelf.ids), dtype=bool)
        for value in values:
            found |= self.mask(shelf, value)
        return found

    def choices(self, shelf: Shelf, rows: Mask, values: Sequence[str]) -> list[Choice]:
        """Of the rows: values that some have, and all that are chosen."""
        counted = self.counts(shelf, rows)
        kept = [one for one in counted if one[2] or one[0] in values]
        shown = [one for at, one in enumerate(kept) if at < SHOWN or one[0] in values]
        known = {value for value, _label, _count in shown}
        for value in values:
            if value not in known:
                shown.append((value, value, int(np.count_nonzero(self.mask(shelf, value) & rows))))
        return [Choice(value, label, count, value in values) for value, label, count in shown]


def _coded(name: str, label: Promise, column: str, codes: Callable[[Shelf], Codes], words: Mapping[str, Any]) -> Facet:
    """A facet of a column of codes, the most frequent first."""

    def counts(shelf: Shelf, rows: Mask) -> list[tuple[str, str | Promise, int]]:
        values = codes(shelf).values
        each = np.bincount(shelf[column][rows], minlength=len(values))
        order = np.argsort(-each, kind="stable")[: SHOWN + 50]
        return [(values[at], words.get(values[at], values[at]), int(each[at])) for at in order if values[at]]

    return Facet(name, label, lambda shelf, value: shelf[column] == codes(shelf).get(value), counts)


def _tested(name: str, label: Promise, tests: Mapping[str, tuple[Any, Callable[[Shelf], Mask]]]) -> Facet:
    """A facet of conditions: value → (words, its rows)."""

    def mask(shelf: Shelf, value: str) -> Mask:
        if value not in tests:
            return np.zeros(len(shelf.ids), dtype=bool)
        return shelf.kept(f"{name} {value}", lambda: tests[value][1](shelf))

    def counts(shelf: Shelf, rows: Mask) -> list[tuple[str, str | Promise, int]]:
        return [
            (value, words, int(np.count_nonzero(mask(shelf, value) & rows))) for value, (words, _test) in tests.items()
        ]

    return Facet(name, label, mask, counts)


def _below(column: str, most: float) -> Callable[[Shelf], Mask]:
    return lambda shelf: shelf[column] <= most


def _from(column: str, least: float) -> Callable[[Shelf], Mask]:
    return lambda shelf: shelf[column] >= least


def _share_from(least: float) -> Callable[[Shelf], Mask]:
    return lambda shelf: (shelf["percent"] != 0) & (shelf["quality"] >= least)


def _modality(shelf: Shelf, value: str) -> Mask:
    if value not in MODALITIES:
        return np.zeros(len(shelf.ids), dtype=bool)
    of_task = np.array([registry.get(task).modality == value for task in shelf.tasks.values], dtype=bool)
    return shelf.kept(f"modality {value}", lambda: of_task[shelf["task"]])


def _modalities(shelf: Shelf, rows: Mask) -> list[tuple[str, str | Promise, int]]:
    return [
        (value, words, int(np.count_nonzero(_modality(shelf, value) & rows))) for value, words in MODALITIES.items()
    ]


def _publisher(shelf: Shelf, value: str) -> Mask:
    owners = [code for code, slug in shelf.slugs.items() if slug == value]
    found: Mask = np.isin(shelf["owner"], owners)
    return found


def _publishers(shelf: Shelf, rows: Mask) -> list[tuple[str, str | Promise, int]]:
    each = np.bincount(shelf["owner"][rows])
    order = np.argsort(-each, kind="stable")[: SHOWN + 50]
    return [(shelf.slugs[int(at)], shelf.slugs[int(at)], int(each[at])) for at in order]


def _speaks(shelf: Shelf, value: str) -> Mask:
    code = shelf.languages.get(value)
    if code < 0 or code > 63:
        return np.zeros(len(shelf.ids), dtype=bool)
    return shelf.kept(f"language {value}", lambda: (shelf["languages"] >> np.uint64(code)) & np.uint64(1) != 0)


def _languages(shelf: Shelf, rows: Mask) -> list[tuple[str, str | Promise, int]]:
    counted = [(one, int(np.count_nonzero(_speaks(shelf, one) & rows))) for one in shelf.languages.values]
    return [(one, native(one), count) for one, count in sorted(counted, key=lambda each: (-each[1], native(each[0])))]


MODALITIES: dict[str, Promise] = {
    "language": _("language"),
    "vision": _("vision"),
    "tabular": _("tables"),
    "recommendation": _("recommendation"),
    "any": _("anything"),
}
_TASKS: dict[str, Any] = {name: _(registry.get(name).title) for name in registry.TASKS}
FACETS: dict[str, Facet] = {
    facet.name: facet
    for facet in (
        _coded("task", _("Task"), "task", lambda shelf: shelf.tasks, _TASKS),
        Facet("modality", _("Modality"), _modality, _modalities),
        _tested("price", _("Price of a typical request"), {
            "free": (_("free"), _below("price", 0)),
            "0.001": (_("up to $0.001"), _below("price", CENT // 10)),
            "0.01": (_("up to $0.01"), _below("price", CENT)),
            "0.1": (_("up to $0.10"), _below("price", 10 * CENT)),
        }),
        _tested("latency", _("Latency (median)"), {
            "100": (_("up to 100 ms"), _below("p50", 100)),
            "500": (_("up to 500 ms"), _below("p50", 500)),
            "2000": (_("up to 2 s"), _below("p50", 2_000)),
        }),
        _tested("quality", _("Quality"), {
            "measured": (_("measured"), lambda shelf: ~np.isnan(shelf["quality"])),
            "80": (_("at least 80 %"), _share_from(0.8)),
            "90": (_("at least 90 %"), _share_from(0.9)),
            "95": (_("at least 95 %"), _share_from(0.95)),
        }),
        _tested("context", _("Context length"), {
            "4096": (_("4k tokens or more"), _from("context", 4_096)),
            "32768": (_("32k tokens or more"), _from("context", 32_768)),
            "131072": (_("128k tokens or more"), _from("context", 131_072)),
        }),
        Facet("language", _("Language"), _speaks, _languages),
        _coded("licence", _("Licence"), "licence", lambda shelf: shelf.licences, {}),
        Facet("publisher", _("Publisher"), _publisher, _publishers),
    )
}  # fmt: skip

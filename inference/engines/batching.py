"""Dynamic micro-batching: rows that wait for a model are run together, and a lone row is run at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import DeadlinePassed, Overloaded, UpstreamFailed
from portal.kit.combining import Combiner, Full, Ticket, TimedOut

Arrays = Mapping[str, NDArray[Any]]
_Ticket = Ticket[Arrays, Arrays]


class Batcher:
    """Runs `call` on arrays joined along their first axis, and cuts its answer apart again.

    Requests are joined as they come while the shapes of their rows agree; those that differ run one after another in the
    same turn. A batch is what came while the one before it ran, and what others who can run bring at once, at most
    `most_rows` of it; one that is alone is run at once, one with more rows by itself.
    """

    def __init__(self, call: Callable[[Arrays], Arrays], most_rows: int, most_waiting: int) -> None:
        self._call = call
        self._combiner: Combiner[Arrays, Arrays] = Combiner(self._turn, most_rows, most_waiting, weigh=_rows)

    def run(self, arrays: Arrays, timeout_s: float) -> Arrays:
        """The outputs for these rows. Raises Overloaded (503) at once when too many wait, DeadlinePassed (504)."""
        try:
            return self._combiner.submit(arrays, timeout_s)
        except Full:
            raise Overloaded("This model has too many requests waiting.", retry_after_s=1) from None
        except TimedOut:
            raise DeadlinePassed("This model did not get to the request in time.", retry_after_s=5) from None

    def _turn(self, tickets: list[_Ticket]) -> None:
        if len(tickets) == 1:
            tickets[0].result = self._call(tickets[0].item)
            return
        alike: dict[tuple[Any, ...], list[_Ticket]] = {}
        for ticket in tickets:
            alike.setdefault(tuple((n, a.shape[1:], a.dtype.str) for n, a in ticket.item.items()), []).append(ticket)
        for group in alike.values():
            try:
                self._together(group)
            except (UpstreamFailed, Overloaded) as error:
                # The place failed, no request: asking it again for each would only take longer.
                for ticket in group:
                    ticket.error = error
            except Exception as error:
                # One bad request must not take the others of its batch along.
                if len(group) == 1:
                    group[0].error = error
                    continue
                for ticket in group:
                    try:
                        ticket.result = self._call(ticket.item)
                    except Exception as own:
                        ticket.error = own

    def _together(self, group: list[_Ticket]) -> None:
        names = group[0].item.keys()
        joined = {name: np.concatenate([ticket.item[name] for ticket in group]) for name in names}
        outputs = self._call(joined)
        rows = [_rows(ticket.item) for ticket in group]
        for name, array in outputs.items():
            if len(array) != sum(rows):
                raise ValueError(f"the model gave {len(array)} rows of {name} for {sum(rows)} rows of input")
        start = 0
        for ticket, count in zip(group, rows, strict=True):
            ticket.result = {name: array[start : start + count] for name, array in outputs.items()}
            start += count


def _rows(arrays: Arrays) -> int:
    first = next(iter(arrays.values()))
    return len(first) if first.ndim else 1

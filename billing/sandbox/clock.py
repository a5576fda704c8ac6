"""What is due happens at its own time, one after another, however far the clock was advanced."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from billing.sandbox.store import Store

Due = Callable[[Store, str], None]


def turn(store: Store, acts: Mapping[str, Due]) -> None:
    """Does everything that is due, the earliest first, each in a transaction of its own and at its own moment.

    An act looks at its object's state: what is on the agenda may have been overtaken.
    """
    while True:
        with store.transaction():
            due = store.sql("SELECT act, id, at FROM agenda WHERE at <= ? ORDER BY at, rowid LIMIT 1", store.now())
            if not due:
                return
            act, id, at = due[0]
            store.sql("DELETE FROM agenda WHERE act = ? AND id = ?", act, id)
            with store.moment(at):
                acts[act](store, id)

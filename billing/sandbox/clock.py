"""What is due happens at its own time, one after another, however far the clock was advanced."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Callable, Mapping

from billing.sandbox.store import Store

Due = Callable[[Store, str], None]
AGAIN_S = 3600


def turn(store: Store, acts: Mapping[str, Due]) -> None:
    """Does everything that is due, the earliest first, each in a transaction of its own and at its own moment.

    An act looks at its object's state: what is on the agenda may have been overtaken. One that goes wrong holds up nothing
    else: it is told on stderr, and done again an hour later.
    """
    while due := store.sql("SELECT act, id, at FROM agenda WHERE at <= ? ORDER BY at, rowid LIMIT 1", store.now()):
        act, id, at = due[0]
        try:
            with store.transaction():
                # Two turns at once: who comes second finds it gone.
                if store.sql("DELETE FROM agenda WHERE act = ? AND id = ? AND at = ? RETURNING 1", act, id, at):
                    with store.moment(at):
                        acts[act](store, id)
        except sqlite3.Error:
            raise
        except Exception:  # noqa: BLE001 – whatever it is
            traceback.print_exc()
            store.schedule(act, id, store.now() + AGAIN_S)

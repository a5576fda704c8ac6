"""The windows of the library `limits`, counted in SharedCounters: exact on one machine, without a server."""

from __future__ import annotations

from limits.storage import Storage

from portal.kit.counters import SharedCounters


class SharedStorage(Storage):
    """What the library asks of a storage of fixed windows."""

    STORAGE_SCHEME = ["shared"]

    def __init__(self, counters: SharedCounters) -> None:
        super().__init__("shared://")
        self._counters = counters

    @property
    def base_exceptions(self) -> type[Exception]:
        return OSError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return self._counters.add(key, amount, expiry)

    def get(self, key: str) -> int:
        return self._counters.get(key)[0]

    def get_expiry(self, key: str) -> float:
        return self._counters.get(key)[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        return None

    def clear(self, key: str) -> None:
        self._counters.drop(key)

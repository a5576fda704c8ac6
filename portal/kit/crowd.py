"""How many requests are at work in this process right now."""

from __future__ import annotations

import threading

_guard = threading.Lock()
_inside = 0


def enter(most: int) -> bool:
    """One more, to be ended by `leave`; False, and none more, where there are `most` already."""
    global _inside
    with _guard:
        if _inside >= most:
            return False
        _inside += 1
        return True


def leave() -> None:
    """One less."""
    global _inside
    with _guard:
        _inside -= 1


def inside() -> int:
    """How many there are."""
    return _inside

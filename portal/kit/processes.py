"""Whether a process of this machine still runs."""

from __future__ import annotations

import os
from pathlib import Path


def lives(number: int) -> bool:
    """False for one that is gone, also where nobody has collected it yet: in containers nobody may."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:  # no such file system here
        return True

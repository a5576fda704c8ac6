from __future__ import annotations

import os
import subprocess
import sys

from portal.kit import processes


def test_a_process_lives_until_it_ends_and_not_until_it_is_collected() -> None:
    assert processes.lives(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert processes.lives(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has collected it
    assert not processes.lives(child.pid)
    child.wait()
    assert not processes.lives(child.pid)
    child.communicate()

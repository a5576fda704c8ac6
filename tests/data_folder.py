"""Gives every test run a data folder of its own; loaded before Django's settings are (see pyproject's addopts)."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="mercato-test-")
os.environ["MERCATO_DATA_DIR"] = _folder
# The stand-in for Stripe keeps tests off the real one, whatever the developer's shell says.
for _name in ("STRIPE_API_KEY", "STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRET", "EMAIL_URL", "SITE_URL"):
    os.environ.pop(_name, None)
_pid = os.getpid()


@atexit.register
def _remove() -> None:
    if os.getpid() == _pid:
        shutil.rmtree(_folder, ignore_errors=True)

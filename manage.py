#!/usr/bin/env python
"""Every command of Mercato: `manage.py help` lists them."""

from __future__ import annotations

import atexit
import gc
import os
import sys


def main() -> None:
    """Run the command named in sys.argv."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    atexit.register(gc.freeze)  # Python would look for garbage in all of Django before it ends: half a second
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

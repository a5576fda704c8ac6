#!/usr/bin/env python
"""Every command of Mercato: `manage.py help` lists them."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command named in sys.argv."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

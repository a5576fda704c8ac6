"""`python -m tests.managing`: commands of manage.py, each in a fork of a process in which Django has started already.

A line of JSON on stdin has a command's arguments; a line on stdout its exit code, stdout and stderr. It ends with its stdin.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile

import django
from django.core.management import execute_from_command_line
from django.urls import get_resolver


def main() -> None:
    """Starts once what every command starts, its checks' reading of all addresses included."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    django.setup()
    get_resolver().check()
    gc.freeze()  # what is here now is no garbage when a command ends
    for line in sys.stdin:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err, open(os.devnull) as nothing:
            child = os.fork()
            if child == 0:
                for number, file in enumerate((nothing, out, err)):
                    os.dup2(file.fileno(), number)
                return execute_from_command_line(["manage.py", *json.loads(line)])
            _, status = os.waitpid(child, 0)
            out.seek(0)
            err.seek(0)
            print(json.dumps([os.waitstatus_to_exitcode(status), out.read(), err.read()]), flush=True)


if __name__ == "__main__":
    main()

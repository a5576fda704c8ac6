"""`manage.py serve`: the web part alone."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels


class Command(BaseCommand):
    help = "Serve pages and the API on one port."
    requires_system_checks: list[str] = []  # a server that restarts should answer soon; `check` is a command of its own

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 to answer other machines")
        parser.add_argument("--workers", type=int, default=1, help="processes")
        parser.add_argument("--threads", type=int, default=settings.WEB_THREADS, help="of each process")

    def handle(self, *args: Any, port: int, host: str, workers: int, threads: int, **options: Any) -> None:
        if workers < 1 or threads < 1 or not 0 < port < 65536:
            raise CommandError("--workers and --threads must be at least 1, --port between 1 and 65535.", returncode=2)
        if hasattr(os, "SCHED_BATCH"):
            # Who is woken waits for the thread at work to rest, instead of taking its place and then waiting for Python's
            # lock: half the switches (sched(7)). Threads and workers inherit it.
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        Granian(
            "portal.wsgi:serving",
            factory=True,
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            workers=workers,
            blocking_threads=threads,
            backlog=2048,
            log_level=LogLevels.error,
            log_access=False,
            respawn_failed_workers=True,
            workers_kill_timeout=10,
        ).serve()

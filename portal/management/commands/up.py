"""`manage.py up`: the whole marketplace on this machine, until Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
from argparse import ArgumentParser
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.db import connections
from honcho.manager import Manager
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

READY_TIMEOUT_S = 60


class Command(BaseCommand):
    help = "Start everything on this machine: web, jobs, and the stand-in for Stripe when no key is set."
    requires_system_checks: list[str] = []  # migrate runs them; once is enough

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT, help="of the portal")

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        console = Console(stderr=False)
        sandbox_port = int(os.environ.get("SANDBOX_PORT") or port + 1)
        lock = _only_one(settings.DATA_DIR / "up.lock")
        _require_free(port, "PORT")
        if settings.STRIPE_IS_SANDBOX:
            _require_free(sandbox_port, "SANDBOX_PORT")

        with _step(console, "Preparing the database"):
            call_command("migrate", verbosity=0, interactive=False)
        with _step(console, "Seeding plans, starter models and demo accounts"):
            accounts = json.loads(_last_line("seed"))
        connections.close_all()

        environment = {**os.environ, "PORT": str(port), "SANDBOX_PORT": str(sandbox_port), "PYTHONUNBUFFERED": "1"}
        manager = Manager()
        for name, command in _processes(port, sandbox_port).items():
            manager.add_process(name, command, env=environment, cwd=str(settings.ROOT))
        ready = threading.Thread(target=_announce, args=(console, port, accounts), daemon=True)
        ready.start()
        manager.loop()
        lock.close()
        # Ctrl-C is how one stops it: not a failure.
        if manager.returncode not in (0, None, -signal.SIGINT, -signal.SIGTERM, 130, 143):
            raise CommandError("A part of Mercato stopped by itself; its last lines are above.", returncode=1)
        console.print("Stopped. Everything is kept in", str(settings.DATA_DIR))


def _processes(port: int, sandbox_port: int) -> dict[str, str]:
    """Name → command line of each part; each also starts alone."""
    python = sys.executable
    parts = {
        "web": f"{python} manage.py serve --port {port}",
        # Threads: TensorFlow does not survive a fork, and trainings run in processes of their own.
        "jobs": f"{python} -m celery -q -A portal.celery worker --beat --pool threads "
        f"--concurrency {settings.WORKER_THREADS} --loglevel WARNING --without-gossip --without-mingle --without-heartbeat",
    }
    if settings.STRIPE_IS_SANDBOX:
        parts["stripe"] = (
            f"{python} -m billing.sandbox --port {sandbox_port} --data {settings.DATA_DIR} "
            f"--webhook-url http://127.0.0.1:{port}/stripe/webhook --thin-url http://127.0.0.1:{port}/stripe/thin"
        )
    return parts


def _only_one(path: Path) -> IO[str]:
    """Holds the data folder's lock until it is closed. Raises CommandError if another `up` has it."""
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise CommandError(
            f"Mercato already runs on {settings.DATA_DIR}: stop it, or set MERCATO_DATA_DIR.", returncode=2
        ) from error
    return lock


def _require_free(port: int, variable: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(f"Port {port} is taken: set {variable} to a free one.", returncode=2) from error


def _step(console: Console, what: str) -> AbstractContextManager[object]:
    if console.is_terminal:
        return console.status(f"{what} …")
    console.print(f"{what} …")
    return nullcontext()


def _last_line(command: str) -> str:
    from io import StringIO

    out = StringIO()
    call_command(command, stdout=out)
    return out.getvalue().strip().splitlines()[-1]


def _announce(console: Console, port: int, accounts: dict[str, Any]) -> None:
    """Waits for the portal to answer, then says where it is and how to get in."""
    started = time.monotonic()
    with _step(console, "Starting web, jobs" + (" and the Stripe sandbox" if settings.STRIPE_IS_SANDBOX else "")):
        while time.monotonic() - started < READY_TIMEOUT_S:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):  # noqa: S310 – our own address
                    break
            except OSError:
                time.sleep(0.1)
        else:
            console.print(f"[red]The portal does not answer on port {port} after {READY_TIMEOUT_S} s.[/]")
            return
    table = Table.grid(padding=(0, 2))
    table.add_row("Portal", f"[bold]http://localhost:{port}[/]")
    for name, account in accounts["accounts"].items():
        table.add_row(name.capitalize(), f"{account['email']}  [bold]{account['password']}[/]")
    table.add_row("Operator's console", f"http://localhost:{port}/admin/")
    if settings.MAILBOX_DIR:
        table.add_row("Mail sent", f"http://localhost:{port}/dev/mailbox")
    table.add_row("Data", str(settings.DATA_DIR))
    table.add_row("", "Ctrl-C stops everything and loses nothing.")
    console.print(Panel(table, title="Mercato is ready", expand=False))

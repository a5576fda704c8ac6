"""`manage.py stripe_smoke`: the journey of money in Stripe's test mode, or with the sandbox where there is no key."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
from typing import Any

import stripe
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from billing.stripe import smoke
from billing.stripe.client import client


class Command(BaseCommand):
    help = "Walk through customer, subscription, usage, top-up, refund and end at Stripe. Use a data folder of its own."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.STRIPE_API_KEY.startswith(("sk_live_", "rk_live_")):
            raise CommandError("This is a live key: use one that begins with sk_test_.", returncode=2)
        call_command("migrate", verbosity=0)
        if not settings.STRIPE_IS_SANDBOX:
            self.stdout.write("Stripe, test mode")
            return self._walk()
        with tempfile.TemporaryDirectory() as folder:
            port = _free_port()
            self.stdout.write(f"STRIPE_API_KEY is not set: a sandbox on port {port} stands in for Stripe")
            command = [sys.executable, "-m", "billing.sandbox", "--port", str(port), "--data", folder]
            with subprocess.Popen(
                [*command, "--webhook-url", "http://127.0.0.1:9/nobody"],
                cwd=settings.ROOT,
                env={**os.environ, "SANDBOX_WEBHOOK_SECRET": secrets.token_hex(8)},
                stdout=subprocess.PIPE,
            ) as sandbox:
                assert sandbox.stdout is not None
                sandbox.stdout.readline()  # it answers
                settings.STRIPE_API_BASE = f"http://127.0.0.1:{port}"
                client.cache_clear()
                try:
                    self._walk()
                finally:
                    sandbox.terminate()

    def _walk(self) -> None:
        try:
            smoke.run(lambda said: self.stdout.write(f"  ✓ {said}"))
        except (AssertionError, stripe.StripeError) as error:
            raise CommandError(f"{type(error).__name__}: {error}", returncode=1) from error
        self.stdout.write("ok")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""`python -m billing.sandbox --port N --data DIR --webhook-url URL [--thin-url URL]`: a stand-in for Stripe on this machine.

The webhook's secret is read from SANDBOX_WEBHOOK_SECRET, or from the file of that name (lower case) in DIR.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from pathlib import Path

from billing.sandbox.deliveries import Courier
from billing.sandbox.server import Sandbox
from billing.sandbox.store import Store


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="billing.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--webhook-url", required=True)
    parser.add_argument(
        "--thin-url", default="", help="where thin events go, which Stripe sends to an endpoint of their own"
    )
    given = parser.parse_args()
    secret = os.environ.get("SANDBOX_WEBHOOK_SECRET") or (given.data / "sandbox_webhook_secret").read_text().strip()
    store = Store(given.data)
    courier = Courier(store, given.webhook_url, secret, given.thin_url)
    server = Sandbox(given.host, given.port, store, courier)
    courier.start()
    for signum in (signal.SIGTERM, signal.SIGINT):
        # shutdown() waits for serve_forever, which runs on this thread.
        signal.signal(signum, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"Stripe sandbox on {server.base}", flush=True)
    server.serve_forever(poll_interval=0.1)
    courier.stop()
    server.server_close()
    store.close()


if __name__ == "__main__":
    main()

"""Spends a workspace's budget as a server does: hold, record, settle, from several threads, until it is refused.

`python -m tests.spending WORKSPACE KEY COST_NANOS THREADS MOST STAYS_S`: says "ready", waits for a line, says what it got as
JSON, and stays that long. See fixtures/spenders.py.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

import django


def spend(workspace_id: str, key_id: str, cost: int, threads: int, most: int, stays_s: float) -> None:
    django.setup()
    from django.db import connections

    from billing.errors import NoBudget
    from billing.gate import holds
    from billing.metering import recorder
    from billing.metering.recorder import Usage
    from portal.kit import ids

    won: list[int] = []
    refusals = [0.0]

    def client() -> None:
        while len(won) < most:
            began = time.monotonic()
            try:
                held = holds.hold(workspace_id, key_id, cost)
            except NoBudget:
                refusals.append(time.monotonic() - began)
                break
            recorder.record(
                Usage(
                    request_id=ids.make("req"),
                    workspace_id=workspace_id,
                    key_id=key_id,
                    model="a/b",
                    version_id="v",
                    replica="",
                    protocol="predictions",
                    units={"request": 1},
                    price_id="p",
                    cost_nanos=cost,
                    lease_id=held.lease_id,
                    funding=held.funding,
                    held=held.parts,
                    latency_ms=1,
                )
            )
            holds.settle(held, cost)
            won.append(1)
        connections.close_all()

    print("ready", flush=True)
    sys.stdin.readline()
    clients = [threading.Thread(target=client) for _ in range(threads)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    print(json.dumps({"won": len(won), "longest_refusal_s": max(refusals)}), flush=True)
    time.sleep(stays_s)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    workspace, key, cost, threads, most, stays = sys.argv[1:]
    spend(workspace, key, int(cost), int(threads), int(most), float(stays))

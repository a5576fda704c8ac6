"""Which places would be asked for a model right now, which not, and why."""

from __future__ import annotations

import time
from typing import Any

from inference.routing import health, pool, replicas
from inference.routing.models import ReplicaState
from inference.routing.router import most_outstanding
from marketplace.catalog.resolve import Resolved


def places(resolved: Resolved) -> list[dict[str, Any]]:
    """Each place of the version as this process sees it. Addresses stay ours: only ids are told."""
    listed = []
    for replica in replicas.of(resolved):
        state = health.of(replica.id)
        reason = None
        if state.ejected():
            reason = f"ejected for {state.ejected_until - time.monotonic():.1f} s more after {state.failures} failures"
        elif state.outstanding >= most_outstanding(replica):
            reason = f"full with {state.outstanding} requests"
        listed.append(
            {
                "id": replica.id,
                "would_serve": reason is None,
                "reason": reason,
                "warm": pool.is_loaded(replica.id),
                "outstanding": state.outstanding,
                "latency_ms": round(state.latency_ms, 3) if state.served else None,
                "p50_ms": state.percentile_ms(0.5),
                "p99_ms": state.percentile_ms(0.99),
            }
        )
    listed += [
        {"id": replica_id, "would_serve": False, "reason": "draining"}
        for replica_id, state_name in replicas.others(resolved.version_id)
        if state_name == ReplicaState.DRAINING
    ]
    return listed

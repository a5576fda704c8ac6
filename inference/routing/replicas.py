"""Where a version runs: its active Replica rows, else its own source; at most a second old."""

from __future__ import annotations

from django.conf import settings

from inference.engines.engine import ReplicaSpec
from inference.routing.models import Replica, ReplicaState
from marketplace.catalog.resolve import Resolved
from marketplace.publishing.importing import LOCAL
from portal.kit.caches import RecentValues

_rows: RecentValues[str, list[tuple[str, str]]] = RecentValues(
    lambda version_id: list(
        Replica.objects.filter(version_id=version_id, state=ReplicaState.ACTIVE).values_list("pk", "target")
    ),
    settings.CATALOG_MAX_AGE_S,
)


_specs: dict[str, tuple[object, Resolved, list[ReplicaSpec]]] = {}


def of(resolved: Resolved) -> list[ReplicaSpec]:
    """The places where the version may be asked; one at least."""
    rows = _rows.get(resolved.version_id)
    made = _specs.get(resolved.version_id)
    if made is None or made[0] is not rows or made[1] is not resolved:
        made = rows, resolved, _specs_of(resolved, rows or [(resolved.version_id, resolved.source)])
        _specs[resolved.version_id] = made
    return made[2]


def _specs_of(resolved: Resolved, rows: list[tuple[str, str]]) -> list[ReplicaSpec]:
    return [
        ReplicaSpec(
            id=replica_id,
            engine=resolved.engine,
            target=str(settings.MODELS_DIR / target) if resolved.engine == LOCAL else target,
            model=resolved.slug,
            task=resolved.task,
            spec=resolved.spec,
            options=resolved.options,
        )
        for replica_id, target in rows
    ]

"""Where a version runs: its active Replica rows, else its own source; at most a second old."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

from inference.engines import registry
from inference.engines.engine import ReplicaSpec
from inference.routing.models import Replica, ReplicaState
from marketplace.catalog.models import Version
from marketplace.catalog.resolve import Resolved
from marketplace.errors import SourceInvalid
from marketplace.publishing.importing import HERE, LOCAL, SHUT_IN
from portal.kit.caches import RecentValues

MOST_TARGET = 500  # characters
_Row = tuple[str, str, str, str]  # id, target, state, engine
_rows: RecentValues[str, list[_Row]] = RecentValues(
    lambda version_id: list(
        Replica.objects.filter(version_id=version_id).order_by("pk").values_list("pk", "target", "state", "engine")
    ),
    settings.CATALOG_MAX_AGE_S,
)


def add(version: Version, target: str, engine: str = "") -> Replica:
    """Another place for the version; one that was drained or removed takes work again. Raises SourceInvalid."""
    replica, _ = Replica.objects.update_or_create(
        version=version,
        target=checked(version, target, engine),
        defaults={"state": ReplicaState.ACTIVE, "engine": engine},
    )
    return replica


def checked(version: Version, target: str, engine: str = "") -> str:
    """The target as it is kept. Raises SourceInvalid for one that the engine cannot run, or an unknown engine."""
    engine, target = engine or version.engine, target.strip().rstrip("/")
    if engine not in registry.ENGINES:
        raise SourceInvalid(f"The engine is one of {', '.join(registry.ENGINES)}.", param="engine")
    if engine == LOCAL and version.engine == SHUT_IN:
        raise SourceInvalid(f"What strangers made runs by the engine {SHUT_IN} alone.", param="engine")
    if engine in HERE:
        folder = (settings.MODELS_DIR / target).resolve()
        if not target or not folder.is_relative_to(settings.MODELS_DIR.resolve()) or not folder.exists():
            raise SourceInvalid(
                f"The engine {engine} runs what is in a folder of {settings.MODELS_DIR}: there is none {target[:200]!r}.",
                param="target",
            )
        return target
    try:
        parts = urlsplit(target)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or len(target) > MOST_TARGET or any(letter.isspace() for letter in target):
        raise SourceInvalid(
            f"The engine {engine} asks a server: give its address like http://host:8000/v1, not {target[:200]!r}.",
            param="target",
        )
    return target


def drain(replica: Replica) -> None:
    """No new work from now on (processes notice within a second); what it works on it ends."""
    Replica.objects.filter(pk=replica.pk).update(state=ReplicaState.DRAINING)


def remove(replica: Replica) -> None:
    """It is no place of the version any more. Its figures are kept."""
    Replica.objects.filter(pk=replica.pk).update(state=ReplicaState.REMOVED)


_specs: dict[str, tuple[object, Resolved, list[ReplicaSpec]]] = {}


def of(resolved: Resolved) -> list[ReplicaSpec]:
    """The places where the version may be asked; none while all of its replicas are drained."""
    rows = _rows.get(resolved.version_id)
    made = _specs.get(resolved.version_id)
    if made is None or made[0] is not rows or made[1] is not resolved:
        made = rows, resolved, _specs_of(resolved, rows)
        _specs[resolved.version_id] = made
    return made[2]


def _specs_of(resolved: Resolved, rows: list[_Row]) -> list[ReplicaSpec]:
    kept = [row for row in rows if row[2] != ReplicaState.REMOVED]
    if not kept:  # a version without replicas runs at its own source
        kept = [(resolved.version_id, resolved.source, ReplicaState.ACTIVE.value, "")]
    return [
        ReplicaSpec(
            id=replica_id,
            engine=engine or resolved.engine,
            target=str(settings.MODELS_DIR / target) if (engine or resolved.engine) in HERE else target,
            model=resolved.slug,
            task=resolved.task,
            spec=resolved.spec,
            options=resolved.options,
        )
        for replica_id, target, state, engine in kept
        if state == ReplicaState.ACTIVE
    ]


def others(version_id: str) -> list[tuple[str, str]]:
    """The version's replicas that take no new work: id and state."""
    return [(row_id, state) for row_id, _, state, _ in _rows.get(version_id) if state != ReplicaState.ACTIVE]

"""Every engine by name, loaded when first asked for: a web process without models never imports TensorFlow."""

from __future__ import annotations

from importlib import import_module

from inference.engines.engine import Engine, ReplicaSpec
from inference.errors import UpstreamFailed

ENGINES = {
    "tensorflow": "inference.engines.tensorflow.engine.engine_of",
    "runner": "inference.engines.runner.parent.Runner",
    "openai": "inference.engines.openai.OpenAIEngine",
    "oip": "inference.engines.oip.OipEngine",
    "ray": "inference.engines.ray.RayEngine",
}


def make(spec: ReplicaSpec) -> Engine:
    """An engine for the replica, not loaded yet. Raises UpstreamFailed for an engine that is not installed here."""
    if spec.engine not in ENGINES:
        raise UpstreamFailed(f"{spec.model} needs the engine {spec.engine!r}, which is not installed here.")
    module, _, name = ENGINES[spec.engine].rpartition(".")
    engine: Engine = getattr(import_module(module), name)(spec)
    return engine

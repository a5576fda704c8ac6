"""A recipe: a training procedure that ends in a SavedModel, judged as it will be served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from marketplace.tasks.task import ModelSpec


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `loss` and `metric` are the latest; `metric` is on the validation split."""

    phase: str  # starting, loading data, training, evaluating, exporting
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    metric_name: str = ""
    metric: float | None = None
    eta_s: float | None = None
    epoch_ended: bool = False

    def to_json(self) -> dict[str, Any]:
        """The JSON form on a run's row."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave. `metrics` and `baseline` are on the test split, which nothing was fitted on."""

    spec: ModelSpec
    metrics: Mapping[str, float]
    baseline: Mapping[str, float]
    facts: Mapping[str, Any] = field(default_factory=dict)  # split sizes, parameters, seconds, seed

    def to_json(self) -> dict[str, Any]:
        """The JSON form that the training process prints."""
        return {
            "spec": self.spec.to_json(),
            "metrics": dict(self.metrics),
            "baseline": dict(self.baseline),
            "facts": dict(self.facts),
        }


Report = Callable[[Progress], None]


class Recipe(Protocol):
    """A module with this function is a recipe; see registry.py."""

    def train(self, dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
        """Trains, writes a SavedModel to `out`, loads it again and judges that. Raises ValueError for bad parameters."""
        ...

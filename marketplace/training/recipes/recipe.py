"""A recipe: a training procedure that ends in a folder that is served (a SavedModel; gpt: see there), judged as it will be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from marketplace.tasks.task import ModelSpec

FINISH_S = 6.0


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
    facts: Mapping[str, Any] = field(default_factory=dict)  # split sizes and their unit, parameters, seconds, seed
    evaluation: Mapping[str, Any] = field(default_factory=dict)  # of the test split, in detail: see judging.py
    validation: Mapping[str, float] = field(default_factory=dict)  # as `metrics`, of the split that chose the weights

    def to_json(self) -> dict[str, Any]:
        """The JSON form that the training process prints."""
        return {
            "spec": self.spec.to_json(),
            "metrics": dict(self.metrics),
            "baseline": dict(self.baseline),
            "facts": dict(self.facts),
            "evaluation": dict(self.evaluation),
            "validation": dict(self.validation),
        }


class Clock:
    """Seconds of compute that a run has used, those of attempts before this one included, and its budget of them."""

    def __init__(self, budget_s: float, spent_s: float = 0.0) -> None:
        self._started, self._spent_s, self._budget_s = time.monotonic(), spent_s, budget_s

    def used_s(self) -> float:
        """So far."""
        return self._spent_s + time.monotonic() - self._started

    def over(self, share: float = 1.0) -> bool:
        """Whether fitting must end, so that exporting and judging have their time; or what has a share of that."""
        return self.used_s() >= share * (self._budget_s - min(FINISH_S, self._budget_s / 3))


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Knob:
    """A parameter of a recipe: a whole number where `default` is one."""

    default: float
    low: float
    high: float


def choose(params: object, knobs: Mapping[str, Knob]) -> dict[str, Any]:
    """Every knob's value. Raises ValueError that says which parameter to change, and to what."""
    if not isinstance(params, Mapping):
        raise ValueError("parameters must be an object of names and values")
    unknown = [name for name in params if name not in knobs]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not a parameter: use {', '.join(knobs)}")
    chosen: dict[str, Any] = {}
    for name, knob in knobs.items():
        value, whole = params.get(name, knob.default), isinstance(knob.default, int)
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not knob.low <= value <= knob.high:
            kind = "whole number" if whole else "number"
            raise ValueError(f"{name} must be a {kind} from {knob.low:g} to {knob.high:g}")
        chosen[name] = value
    return chosen


@dataclass(frozen=True, slots=True)
class TableWork:
    """An upload, and what shall be learnt of it. `checkpoints` is a folder that outlives the process."""

    path: str
    form: str  # a name in datasets.forms.FORMS
    target: str
    task: str
    checkpoints: str
    leave_out: tuple[str, ...] = ()
    folds: int = 0  # of a cross-validation; 0: none
    text: str = ""  # the column that is read, where the task reads texts
    roles: Mapping[str, str] = field(default_factory=dict)  # of columns: number, category, text or date, where chosen
    choices: Mapping[str, Any] = field(default_factory=dict)  # see materials.choices
    before: str = ""  # a file that tells of the version to compare with: see comparing.py


SEED = Knob(1, 0, 2**31 - 1)


class Recipe(Protocol):
    """A module with this function is a recipe; see registry.py."""

    def train(self, dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
        """Trains, writes a folder to `out`, loads it again and judges that. Raises ValueError for bad parameters."""
        ...


class TableRecipe(Protocol):
    """A recipe that learns what people upload: a module that brings its network; uploaded.py does the rest.

    It may also have `head(hidden, truth, learn)`, a last layer of its own, and `answers(network, prepared, truth, parts)`, what
    is answered besides: see uploaded.py.
    """

    KNOBS: Mapping[str, Knob]

    def body(self, inputs: Mapping[str, Any], prepared: Any, chosen: Mapping[str, Any]) -> Any:
        """Keras: what the materials.material.Prepared gives → what the last layer reads. `chosen`: the knobs."""
        ...

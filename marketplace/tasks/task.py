"""A task: what a model does, declared once for the browser, the API and the catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]  # named arrays with the rows as their first axis
Json = Any


def said(text: str) -> str:
    """Words that people read: imported as `_`, it marks them for translators, though tasks know no Django."""
    return text


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named input or output of a signature. `shape` has None where any size goes; the first axis is the rows."""

    name: str
    dtype: str  # as NumPy names it: float32, int32, str, …
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Feature:
    """A column of a table that a model reads: a number; a word where it has `choices`, others count as unknown; or as `form` says."""

    name: str
    low: float
    high: float
    typical: float | str
    choices: tuple[str, ...] = ()
    optional: bool = False  # the model itself knows what to make of a missing one; else the typical one is taken
    form: str = ""  # "date" or "text": written as it is

    @property
    def is_number(self) -> bool:
        """Whether it is given as a number, not as a text."""
        return not self.choices and not self.form


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a model recommends: its id, its name, and a few words about it for people."""

    id: str
    title: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a version takes and gives, kept as JSON on its row."""

    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    labels: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()
    examples: tuple[Json, ...] = ()  # inputs that show the model at work, as the API takes them
    max_output_tokens: int = 1024
    context_length: int | None = None  # tokens of a prompt and its answer; None: not known
    items: tuple[Item, ...] = ()  # in the order of the scores

    def to_json(self) -> dict[str, Any]:
        """The JSON form that `from_json` reads."""
        return asdict(self)

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> ModelSpec:
        """The specification in a version's row."""
        return ModelSpec(
            inputs=tuple(Tensor(t["name"], t["dtype"], tuple(t["shape"])) for t in stored.get("inputs", ())),
            outputs=tuple(Tensor(t["name"], t["dtype"], tuple(t["shape"])) for t in stored.get("outputs", ())),
            labels=tuple(stored.get("labels", ())),
            features=tuple(
                Feature(**{**f, "choices": tuple(f.get("choices", ()))}) for f in stored.get("features", ())
            ),
            examples=tuple(stored.get("examples", ())),
            max_output_tokens=stored.get("max_output_tokens", 1024),
            context_length=stored.get("context_length"),
            items=tuple(Item(**i) for i in stored.get("items", ())),
        )


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that judges a task's models on data they have not seen."""

    name: str
    label: str
    higher_is_better: bool = True
    percent: bool = False

    def show(self, value: float) -> str:
        """The figure for people."""
        return f"{value * 100:.1f} %" if self.percent else f"{value:.2f}"


class Codec(Protocol):
    """How a task's JSON becomes arrays and back, and what it counts."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        """JSON Schema (2020-12) of the input."""
        ...

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        """JSON Schema (2020-12) of the output."""
        ...

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        """The arrays for the model of an input that fits the schema. Raises InputInvalid."""
        ...

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        """The output for the caller."""
        ...

    def units(self, given: Json) -> dict[str, int]:
        """What is billed for an input, besides the request itself; tokens are counted by the engine."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """The declaration. `protocols` carry it, `widget` tries it in the browser, `metrics` judge it, the first most.

    `row_unit` is what a row bills that comes as raw tensors, so that no protocol is cheaper than another.
    `also`: what people call the task who look for it, in any language; one may be several words.
    `default_tokens` are generated where the caller names no number; 0: as many as the model may.
    """

    name: str
    title: str
    summary: str
    modality: str
    codec: Codec
    widget: str
    metrics: tuple[Metric, ...] = ()
    protocols: tuple[str, ...] = ("predictions",)
    streams: bool = False
    default_tokens: int = 0
    row_unit: str = "row"
    examples: tuple[Json, ...] = field(default=())
    also: tuple[str, ...] = ()

    def example(self, spec: ModelSpec) -> Json:
        """An input that works with this model."""
        given: Sequence[Json] = spec.examples or self.examples
        return given[0] if given else {}

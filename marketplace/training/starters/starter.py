"""A starter model: trained on the machine that runs Mercato, never shipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marketplace.tasks import registry

CARDS = Path(__file__).parent / "cards"


@dataclass(frozen=True, slots=True)
class Starter:
    """A model of the publisher `mercato`, and how it is trained. `prices` in dollars by `units.Unit.per`."""

    name: str
    title: str
    summary: str
    task: str
    recipe: str
    dataset: str
    prices: Mapping[str, str]
    licence: str
    params: Mapping[str, Any] = field(default_factory=dict)
    languages: tuple[str, ...] = ()  # codes of those that it reads or writes
    at_first: bool = False  # trained when an installation starts first; the others when somebody asks for it

    @property
    def about(self) -> str:
        """The card as far as nothing is measured: Markdown whose first line says what it is."""
        return (CARDS / f"{self.name}.md").read_text()


def card(starter: Starter, outcome: Mapping[str, Any]) -> str:
    """The model card in Markdown, with the figures of `outcome` (recipe.Outcome as JSON)."""
    task = registry.get(starter.task)
    metrics, baseline, facts = outcome["metrics"], outcome["baseline"], outcome["facts"]
    rows = [
        f"| {metric.label} | {metric.show(metrics[metric.name])} | "
        f"{metric.show(baseline[metric.name]) if metric.name in baseline else '–'} |"
        for metric in task.metrics
        if metric.name in metrics
    ]
    train, validation, test = (f"{count:,}" for count in facts["rows"])
    unit = facts.get("unit", "rows")
    return (
        f"{starter.about}\n## Quality\nOn the test split, which nothing was fitted on, of the exported model as it is served:\n\n"
        f"| metric | this model | trivial baseline |\n|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"Split before anything was fitted: {train} {unit} for training, {validation} for validation, {test} for the test. "
        f"{facts['parameters']:,} parameters, trained in {facts['seconds']:.0f} s with seed {facts['seed']}.\n"
        + (_calibration(**facts["calibration"]) if "calibration" in facts else "")
    )


def _calibration(label: str, groups: Sequence[Mapping[str, float]]) -> str:
    """A section on how far the chances were right, by groups of rows."""
    rows = [f"| {one['rows']:.0f} | {one['said'] * 100:.1f} % | {one['came'] * 100:.1f} % |" for one in groups]
    return (
        f"\n## Calibration\nThe rows of the test split by the chance of *{label}* that the model gave, in groups of the same size:\n\n"
        f"| rows | mean chance given | share {label} |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )

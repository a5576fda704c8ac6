"""What is asked of a dataset: the column to predict, what it is read from, by which recipe, and how it is made ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest

from marketplace.tasks import registry as tasks
from marketplace.tasks.task import Task
from marketplace.training.architectures import ARCHITECTURES, Architecture
from marketplace.training.models import Dataset, DatasetState
from marketplace.training.preparing_forms import Column, PreparingForm
from marketplace.training.recipes import registry
from marketplace.training.recipes.datasets.profile import CLASSIFICATION, learnt_as
from marketplace.training.recipes.recipe import TableRecipe


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address and the form say."""

    dataset: Dataset
    learnable: list[Column]
    target: Column
    readable: list[str]  # columns whose texts could be read instead of the table's rows
    rows_too: bool  # whether there are columns to be read as rows
    text: str  # the one that is
    task: Task
    recipe: str
    preparing: PreparingForm

    @property
    def recipes(self) -> dict[str, Architecture]:
        """Those to choose from."""
        return {name: ARCHITECTURES[name] for name in _recipes(self.task, self.target)}

    @property
    def knobs(self) -> Any:
        """Of the chosen recipe."""
        recipe: TableRecipe = registry.get_for_tables(self.recipe)
        return recipe.KNOBS

    @property
    def what(self) -> dict[str, Any]:
        """What goes to a run, besides the folds: see recipes.recipe.TableWork. The form must be valid."""
        read = {"text": self.text} if self.text else {}
        return {"target": self.target["name"], "task": self.task.name, **read, **self.preparing.what}


def asked(request: HttpRequest, dataset: Dataset) -> Asked:
    """Raises Http404 where nothing can be learnt."""
    columns: list[Column] = dataset.profile.get("columns", [])
    learnable = [column for column in columns if column["task"]]
    if dataset.state != DatasetState.READY or not learnable:
        raise Http404
    given = request.POST if request.method == "POST" else request.GET
    wanted = given.get("target") or dataset.profile["target"]
    target = next((column for column in learnable if column["name"] == wanted), learnable[-1])
    others = [column for column in columns if column is not target]
    readable = [c["name"] for c in others if "text" in c.get("roles", ()) and target["task"] == CLASSIFICATION]
    rows_too = any(learnt_as(column["kind"]) for column in others) or not readable
    text = given.get("text", "" if rows_too else readable[0])
    text = text if text in readable else "" if rows_too else readable[0]
    task = tasks.get("text-classification" if text else target["task"])
    known = _recipes(task, target)
    recipe = given.get("recipe", "")
    preparing = PreparingForm(request.POST if request.method == "POST" else None, others, task.modality)
    return Asked(
        dataset, learnable, target, readable, rows_too, text, task, recipe if recipe in known else known[0], preparing
    )


def _recipes(task: Task, target: Column) -> list[str]:
    two = task.name == CLASSIFICATION and target["distinct"] == 2
    return [name for name in registry.OWN[task.modality] if name != "additive" or two]

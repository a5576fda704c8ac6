"""OpenAI's fine-tuning: bytes ↔ Job and Run.

`model` is a recipe. Ours are `target`, the column to predict, and `max_cost`, dollars; `cost` and `metrics` of an answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing import money
from inference.api.view import FieldInvalid, fields
from marketplace.training import charges
from marketplace.training.finetuning import Job
from marketplace.training.models import Run, RunState
from marketplace.training.recipes import registry
from marketplace.training.recipes.recipe import Knob, choose

RECIPES = registry.OWN_RECIPES
_FIELDS = (
    "model", "training_file", "hyperparameters", "method", "seed", "suffix", "metadata", "target", "max_cost",
)  # fmt: skip
_ONLY = {
    "validation_file": "a fifth of the training file is held back for the validation",
    "integrations": "watch the events instead",
}
_STATES = {
    RunState.VALIDATING: "validating_files",
    RunState.QUEUED: "queued",
    RunState.RUNNING: "running",
    RunState.SUCCEEDED: "succeeded",
    RunState.FAILED: "failed",
    RunState.CANCELED: "cancelled",
}
MOST_METADATA, MOST_SUFFIX = 16, 64
AUTO = "auto"


def job_of(body: Any, budget_s: int) -> tuple[Job, str]:
    """The job, and the id of its file or dataset. Raises FieldInvalid."""
    given = fields(body)
    for name, value in given.items():
        if name in _ONLY and value not in (None, []):
            raise FieldInvalid(f"{name} is not carried here, {_ONLY[name]}: leave it out.", param=f"/{name}")
        if name not in _FIELDS and name not in _ONLY:
            raise FieldInvalid(f"{name[:60]} is not carried here: leave it out.", param=f"/{name[:60]}")
    recipe = given.get("model")
    if recipe not in RECIPES:
        raise FieldInvalid(f"model is a recipe, one of {', '.join(RECIPES)}.", param="/model")
    file = _text(given, "training_file", 40)
    if not file:
        raise FieldInvalid(
            "training_file is the id of a file for fine-tuning, or of a dataset.", param="/training_file"
        )
    job = Job(
        recipe=recipe,
        params=_params(given, registry.get_for_tables(recipe).KNOBS),
        budget_s=budget_s,
        target=_text(given, "target", 200),
        suffix=_text(given, "suffix", MOST_SUFFIX),
        file_id=file,
        metadata=_metadata(given.get("metadata") or {}),
    )
    return job, file


def max_cost_of(body: Any) -> int | None:
    """Nano-dollars that the job may cost at most; None where it does not say. Raises MoneyInvalid."""
    wish = fields(body).get("max_cost")
    return None if wish is None else money.parse(wish)


def _text(given: Mapping[str, Any], name: str, most: int) -> str:
    found = given.get(name)
    if found is None:
        return ""
    if not isinstance(found, str) or len(found) > most:
        raise FieldInvalid(f"{name} is a text of at most {most} characters.", param=f"/{name}")
    return found


def _params(given: Mapping[str, Any], knobs: Mapping[str, Knob]) -> dict[str, Any]:
    """The recipe's knobs: by their own names, or by OpenAI's."""
    wished, at = given.get("hyperparameters") or {}, "/hyperparameters"
    method = given.get("method")
    if method is not None:
        if not isinstance(method, dict) or method.get("type") != "supervised" or method.keys() - {"type", "supervised"}:
            raise FieldInvalid("method is supervised; no other one is carried here.", param="/method")
        inner = method.get("supervised") or {}
        if not isinstance(inner, dict) or inner.keys() - {"hyperparameters"}:
            raise FieldInvalid("supervised has hyperparameters, and nothing else.", param="/method/supervised")
        if inner.get("hyperparameters"):
            if wished:
                raise FieldInvalid("Write hyperparameters once: in method, or beside it.", param=at)
            wished, at = inner["hyperparameters"], "/method/supervised/hyperparameters"
    if not isinstance(wished, dict):
        raise FieldInvalid("hyperparameters are an object of names and values.", param=at)
    params: dict[str, Any] = {}
    for name, value in wished.items():
        if value is None or value == AUTO:
            if name not in (*knobs, "n_epochs", "batch_size", "learning_rate_multiplier"):
                raise FieldInvalid(f"{name[:60]} is not a hyperparameter of this recipe.", param=f"{at}/{name[:60]}")
        elif name == "n_epochs" and "epochs" in knobs:
            params["epochs"] = value
        elif name == "learning_rate_multiplier" and "learning_rate" in knobs:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise FieldInvalid("learning_rate_multiplier is a number.", param=f"{at}/{name}")
            params["learning_rate"] = knobs["learning_rate"].default * value
        elif name == "batch_size" and name not in knobs:
            raise FieldInvalid("The recipe chooses its batch_size: auto, or leave it out.", param=f"{at}/{name}")
        else:
            params[name] = value
    if given.get("seed") is not None:
        params["seed"] = given["seed"]
    try:
        return choose(params, knobs)
    except ValueError as error:
        raise FieldInvalid(f"{str(error)[0].upper()}{str(error)[1:]}.", param=at) from error


def _metadata(given: Any) -> dict[str, str]:
    if not isinstance(given, dict) or len(given) > MOST_METADATA:
        raise FieldInvalid(f"metadata is an object with at most {MOST_METADATA} pairs.", param="/metadata")
    for key, value in given.items():
        if len(key) > 64 or not isinstance(value, str) or len(value) > 512:
            raise FieldInvalid(
                "metadata has keys of at most 64 characters, and texts of at most 512.", param=f"/metadata/{key[:64]}"
            )
    return given


def shown(run: Run) -> dict[str, Any]:
    """A FineTuningJob."""
    wanted, outcome = run.wanted or {}, run.outcome or {}
    state, error = status(run), None
    if state == "failed":
        invalid = run.attempts == 0
        code = "invalid_training_file" if invalid else "training_failed"
        error = {"code": code, "message": run.error, "param": "training_file" if invalid else None}
    hyperparameters = {
        **run.params,
        "n_epochs": run.params.get("epochs"),
        "batch_size": run.params.get("batch_size", AUTO),
    }
    eta_s = run.progress.get("eta_s") if state == "running" else None
    beat = run.leased_until.timestamp() if run.leased_until else 0
    return {
        "id": run.pk,
        "object": "fine_tuning.job",
        "created_at": _seconds(run.created_at),
        "finished_at": _seconds(run.ended_at) if state in ("succeeded", "failed", "cancelled") else None,
        "estimated_finish": round(beat + eta_s) if eta_s and beat else None,
        "model": run.recipe,
        "fine_tuned_model": run.version.model.slug if run.version else None,
        "organization_id": run.workspace.slug if run.workspace else "",
        "status": state,
        "training_file": wanted.get("file") or run.table_id or "",
        "validation_file": None,
        "result_files": [],
        "hyperparameters": hyperparameters,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "seed": run.params.get("seed", 0),
        "trained_tokens": None,  # rows are trained on
        "error": error,
        "integrations": [],
        "metadata": wanted.get("metadata") or None,
        "target": run.asked.get("target") or None,
        "metrics": outcome.get("metrics") or None,
        "max_cost": money.decimal(charges.most_nanos(run, run.budget_s)),
        "cost": money.decimal(run.cost_nanos) if run.charged_at else None,
    }


def status(run: Run) -> str:
    """As OpenAI names it; a job has succeeded once its model can be called."""
    if run.state == RunState.SUCCEEDED and run.wanted and run.version is None:
        return "failed" if run.error or run.purged_at else "running"
    return _STATES[RunState(run.state)]


def events(run: Run) -> list[dict[str, Any]]:
    """FineTuningJobEvents, the latest first."""
    found = [_event(run, run.created_at, "Created fine-tuning job", "created")]
    if run.state not in (RunState.VALIDATING, RunState.FAILED) or run.attempts:
        found.append(
            _event(run, run.created_at, f"The training file is valid: predicting {run.asked['target']}", "valid")
        )
    for line in run.log:
        at, phase, epoch, loss, metric = line
        moment, key = datetime.fromisoformat(at), json.dumps(line)
        if phase == "training" and epoch:
            data = {"step": epoch, "train_loss": loss, "valid_metric": metric}
            found.append(_event(run, moment, f"Epoch {epoch}: training loss={loss}, validation={metric}", key, data))
        else:
            found.append(_event(run, moment, str(phase).capitalize(), key))
    state = status(run)
    if state in ("succeeded", "failed", "cancelled") and run.ended_at:
        last = {
            "succeeded": f"The job has succeeded: {run.version.model.slug if run.version else 'not published'}",
            "failed": run.error or "The job has failed",
            "cancelled": "The job was cancelled",
        }[state]
        found.append(_event(run, run.ended_at, last, "ended", level="error" if state == "failed" else "info"))
    return found[::-1]


def checkpoints(run: Run) -> list[dict[str, Any]]:
    """The one that is kept: the best network that was found within so many epochs. FineTuningJobCheckpoints."""
    if run.version is None or not run.curve or run.ended_at is None:
        return []
    validation = (run.outcome or {}).get("validation", {})
    return [
        {
            "id": _id("ftckpt", run, "best"),
            "object": "fine_tuning.job.checkpoint",
            "created_at": _seconds(run.ended_at),
            "fine_tuning_job_id": run.pk,
            "fine_tuned_model_checkpoint": f"{run.version.model.slug}@{run.version.semver}",
            "step_number": run.curve[-1]["epoch"],
            "metrics": {
                "step": run.curve[-1]["epoch"],
                "train_loss": run.curve[-1]["loss"],
                "valid_loss": validation.get("log_loss"),
                **{f"valid_{name}": value for name, value in validation.items()},
            },
        }
    ]


def _event(
    run: Run, at: datetime, message: str, key: str, data: Mapping[str, Any] | None = None, level: str = "info"
) -> dict[str, Any]:
    return {
        "id": _id("ftevent", run, key),
        "object": "fine_tuning.job.event",
        "created_at": _seconds(at),
        "level": level,
        "message": message,
        "type": "metrics" if data else "message",
        "data": dict(data or {}),
    }


def _id(prefix: str, run: Run, key: str) -> str:
    """The same for the same thing, whenever it is asked for."""
    return f"{prefix}_{hashlib.sha256(f'{run.pk} {key}'.encode()).hexdigest()[:24]}"


def _seconds(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at else None

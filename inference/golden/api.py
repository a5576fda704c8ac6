"""/v1/golden_sets: a workspace's golden sets and the runs of models on them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.request import Request

from billing import money
from inference.api.openai import listing
from inference.api.view import FieldInvalid, PredictionView, fields
from inference.golden import files, runs, sets
from inference.golden.models import GoldenAnswer, GoldenRun, GoldenSet
from inference.later.waking import wake
from portal.accounts.wire.answers import json_answer

PAGE, MOST_LISTED = 20, 100
_SET_FIELDS, _RUN_FIELDS = ("name", "task", "examples"), ("models", "max_cost")


class GoldenView(PredictionView):
    """A view of the workspace's own golden sets. `max_cost` is that of a whole run."""

    def set_of(self, set_id: str) -> GoldenSet:
        """Raises GoldenMissing, and GoldenRunInvalid for a test key or a browser's token."""
        runs.check_key(self.caller)
        return sets.of(self.caller.workspace_id, set_id)

    def given(self, request: Request, known: tuple[str, ...]) -> dict[str, Any]:
        """The body's fields, all of them known. Raises FieldInvalid."""
        found = fields(super(PredictionView, self).body(request))
        for name in found:
            if name not in known:
                told = f"There is no field {name[:60]!r} here: known are {', '.join(known)}."
                raise FieldInvalid(told, param=f"/{name[:60]}")
        return found


class GoldenSets(GoldenView):
    """The workspace's golden sets, the newest first."""

    def get(self, request: Request) -> HttpResponse:
        runs.check_key(self.caller)
        found = listing.by_time(sets.all_of(self.caller.workspace_id), request.query_params)
        limit = listing.limit_of(request.query_params, PAGE, MOST_LISTED)
        return json_answer(listing.page(found, limit, _set))

    def post(self, request: Request) -> HttpResponse:
        """A new golden set of examples with input, expected and slices."""
        given = self.given(request, _SET_FIELDS)
        runs.check_key(self.caller)
        name, task, examples = given.get("name"), given.get("task"), given.get("examples")
        if not isinstance(name, str) or not isinstance(task, str):
            raise FieldInvalid("Send name, task and examples.", param="/name" if not isinstance(name, str) else "/task")
        if not isinstance(examples, list):
            raise FieldInvalid('examples is a list of {"input", "expected", "slices"}.', param="/examples")
        sets.check(name, task)
        read = files.of_list(task, examples)
        made = sets.make(self.id_of_new("gold"), self.caller.workspace_id, name, task, read)
        return json_answer(_set(made), status=201)


class OneGoldenSet(GoldenView):
    """A golden set."""

    def get(self, request: Request, set_id: str) -> HttpResponse:
        return json_answer(_set(self.set_of(set_id)))

    def delete(self, request: Request, set_id: str) -> HttpResponse:
        """Forgets it with its runs and their shared links."""
        found = self.set_of(set_id)
        sets.delete(found)
        return json_answer({"id": set_id, "object": "golden_set", "deleted": True})


class GoldenEstimate(GoldenView):
    """What a run would cost"""

    def post(self, request: Request, set_id: str) -> HttpResponse:
        """What a run of these models can cost at most; nothing is run."""
        found, given = self.set_of(set_id), self.given(request, ("models",))
        guessed = runs.estimate(self.caller, found, _models(given))
        models = [
            {"model": one.model, "max_cost": money.decimal(one.most_nanos), "refused": one.refused, "reason": one.reason or None}
            for one in guessed
        ]  # fmt: skip
        return json_answer({"max_cost": money.decimal(sum(one.most_nanos for one in guessed)), "models": models})


class GoldenRuns(GoldenView):
    """The runs of a golden set, the newest first."""

    def get(self, request: Request, set_id: str) -> HttpResponse:
        found: QuerySet[GoldenRun] = self.set_of(set_id).runs.all()
        limit = listing.limit_of(request.query_params, PAGE, MOST_LISTED)
        return json_answer(listing.page(listing.by_time(found, request.query_params), limit, _run))

    def post(self, request: Request, set_id: str) -> HttpResponse:
        """Runs models on every example, for max_cost dollars at most."""
        found, given = self.set_of(set_id), self.given(request, _RUN_FIELDS)
        most = None if given.get("max_cost") is None else money.parse(given["max_cost"])
        run = runs.begin(self.id_of_new("grun"), self.caller, found, _models(given), most)
        wake("run_golden_sets")
        return json_answer(_run(run), status=201)


class OneGoldenRun(GoldenView):
    """A run as far as it has come, and its results."""

    def get(self, request: Request, set_id: str, run_id: str) -> HttpResponse:
        return json_answer(_run(runs.of(self.set_of(set_id), run_id)))

    def delete(self, request: Request, set_id: str, run_id: str) -> HttpResponse:
        """Forgets it."""
        runs.delete(runs.of(self.set_of(set_id), run_id))
        return json_answer({"id": run_id, "object": "golden_run", "deleted": True})


class CancelGoldenRun(GoldenView):
    """Begins no more examples; what was answered is judged, and billed."""

    def post(self, request: Request, set_id: str, run_id: str) -> HttpResponse:
        run = runs.of(self.set_of(set_id), run_id)
        runs.cancel(run)
        wake("run_golden_sets")
        return json_answer(_run(run))


class GoldenAnswers(GoldenView):
    """What each model said to each example; `after` is the number of the last example of the page before."""

    def get(self, request: Request, set_id: str, run_id: str) -> HttpResponse:
        run = runs.of(self.set_of(set_id), run_id)
        limit = listing.limit_of(request.query_params, PAGE, MOST_LISTED)
        after = request.query_params.get("after", "0")
        if not after.isdecimal() or len(after) > 9:
            raise FieldInvalid("after is the number of an example.", param="after")
        examples = list(run.golden_set.examples.filter(number__gt=int(after)).order_by("number")[: limit + 1])
        numbers = [one.number for one in examples[:limit]]
        answers: dict[int, list[dict[str, Any]]] = {number: [] for number in numbers}
        for answer in run.answers.filter(number__in=numbers).exclude(status=None).order_by("number", "column"):
            answers[answer.number].append(_answer(run, answer))
        data = [
            {"number": one.number, "input": one.input, "expected": one.expected, "slices": one.slices, "answers": answers[one.number]}
            for one in examples[:limit]
        ]  # fmt: skip
        return json_answer({"object": "list", "data": data, "has_more": len(examples) > limit})


def _models(given: dict[str, Any]) -> list[str]:
    found = given.get("models")
    if not isinstance(found, list) or not all(isinstance(model, str) for model in found):
        raise FieldInvalid("models is a list of publisher/name.", param="/models")
    return found


def _set(found: GoldenSet) -> dict[str, Any]:
    return {
        "id": found.pk,
        "object": "golden_set",
        "name": found.name,
        "task": found.task,
        "examples": found.size,
        "slices": found.slices,
        "created_at": found.created_at.isoformat(),
    }


def _run(run: GoldenRun) -> dict[str, Any]:
    total, done = run.golden_set.size * len(run.versions), run.answers.exclude(status=None).count()
    return {
        "id": run.pk,
        "object": "golden_run",
        "golden_set": run.golden_set_id,
        "models": run.versions,
        "status": run.state,
        "reason": str(runs.WHY[run.why]) if run.why else None,
        "answers": {"total": total, "done": done},
        "max_cost": money.decimal(run.ceiling_nanos),
        "cost": money.decimal(run.cost_nanos) if run.over else None,
        "results": _results(run.results) if run.results else None,
        "created_at": run.created_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
    }


def _results(found: dict[str, Any]) -> dict[str, Any]:
    """Figures as [value, low, high] with 95 % confidence; money as dollars."""
    models = []
    for one in found["models"]:
        plain = {name: value for name, value in one.items() if name not in ("cost_nanos", "per_1000_nanos", "reasons")}
        per = one["per_1000_nanos"]
        plain |= {
            "cost": money.decimal(one["cost_nanos"]),
            "cost_per_1000": None if per is None else money.decimal(per),
        }
        models.append({**plain, "reasons": [{"message": told, "count": count} for told, count in one["reasons"]]})
    return {"models": models, "behind": found["behind"], "slices": found["slices"]}


def _answer(run: GoldenRun, answer: GoldenAnswer) -> dict[str, Any]:
    return {
        "model": run.versions[answer.column],
        "status": answer.status,
        "said": answer.said,
        "cost": money.decimal(answer.cost_nanos),
        "latency_ms": answer.latency_ms,
    }

"""/v1/fine_tuning/jobs: a file of examples becomes a model that the same key calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from billing import money
from inference.api.openai import fine_tuning_wire as wire
from inference.api.openai import listing
from inference.api.view import FieldInvalid, PredictionView
from inference.later import files
from marketplace.errors import DatasetInvalid
from marketplace.training import charges, datasets, finetuning, runs
from marketplace.training.models import Dataset, Run
from portal.accounts.models import Workspace
from portal.accounts.wire.answers import json_answer
from portal.kit.errors import Problem

PAGE, MOST_LISTED = 20, 100
_WHOLE = ("workspace", "version__model__publisher", "table")


class JobMissing(Problem):
    """The workspace has no such job."""

    status = 404
    code = "job_not_found"


class TrainingView(PredictionView):
    """For keys that may train."""

    scope = "training"

    def job(self, job_id: str) -> Run:
        """The workspace's own. Raises JobMissing."""
        found = Run.objects.filter(workspace_id=self.caller.workspace_id, pk=job_id).select_related(*_WHOLE).first()
        if found is None:
            raise JobMissing("There is no such fine-tuning job.")
        return found


class Jobs(TrainingView):
    """The workspace's jobs, those begun in the browser among them."""

    def get(self, request: Request) -> HttpResponse:
        query = request.query_params
        other = next((name for name in query if name.startswith("metadata")), None)
        if other is not None:
            raise FieldInvalid("Jobs are not searched by metadata: leave it out.", param=other[:60])
        mine = Run.objects.filter(workspace_id=self.caller.workspace_id).select_related(*_WHOLE).defer("curve", "log")
        found = listing.by_time(mine, query)
        return json_answer(listing.page(found, listing.limit_of(query, PAGE, MOST_LISTED), wire.shown))

    def post(self, request: Request) -> HttpResponse:
        """Trains a recipe on a file, in at most so many seconds as max_cost pays for."""
        if self.caller.test:
            raise FieldInvalid("A test key trains nothing: use a live one.", status=403, code="test_key")
        body = super(PredictionView, self).body(request)  # its max_cost is for the whole job
        agreed = charges.terms(self.caller.workspace_id)
        job, named = wire.job_of(body, _budget_s(wire.max_cost_of(body), charges.cost(agreed, 1_000)))
        table = _table(self.caller.workspace_id, named)
        return json_answer(wire.shown(finetuning.begin(self.id_of_new("run"), table, job, agreed)))


class OneJob(TrainingView):
    """How far the job is."""

    def get(self, request: Request, job_id: str) -> HttpResponse:
        return json_answer(wire.shown(self.job(job_id)))


class CancelJob(TrainingView):
    """Ends the job; what it used is billed."""

    def post(self, request: Request, job_id: str) -> HttpResponse:
        found = self.job(job_id)
        runs.cancel(found, timezone.now())
        return json_answer(wire.shown(self.job(job_id)))


class JobEvents(TrainingView):
    """What happened to the job, the latest first."""

    def get(self, request: Request, job_id: str) -> HttpResponse:
        return json_answer(_page(request, wire.events(self.job(job_id)), PAGE))


class JobCheckpoints(TrainingView):
    """What is kept of the job: the best network that it found."""

    def get(self, request: Request, job_id: str) -> HttpResponse:
        return json_answer(_page(request, wire.checkpoints(self.job(job_id)), 10))


def _page(request: Request, found: Sequence[dict[str, Any]], default: int) -> dict[str, Any]:
    """A page of things that have ids."""
    query = request.query_params
    after = query.get("after")
    if after:
        at = next((at for at, one in enumerate(found) if one["id"] == after), None)
        if at is None:
            raise FieldInvalid("after is the id of the last one of the page before.", param="after")
        found = found[at + 1 :]
    limit = listing.limit_of(query, default, MOST_LISTED)
    rows = found[:limit]
    ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {"first_id": None, "last_id": None}
    return {"object": "list", "data": rows, **ends, "has_more": len(found) > limit}


def _budget_s(most_nanos: int | None, second_nanos: int) -> int:
    """The seconds that max_cost pays for, within what a run may have. Raises FieldInvalid where that is too little."""
    if most_nanos is None:
        return finetuning.BUDGET_S
    bought = most_nanos // second_nanos if second_nanos else settings.TRAINING_MOST_S
    if bought < settings.TRAINING_LEAST_S:
        least = money.decimal(settings.TRAINING_LEAST_S * second_nanos)
        raise FieldInvalid(f"max_cost is {least} dollars at least.", param="/max_cost")
    return min(int(bought), int(settings.TRAINING_MOST_S))


def _table(workspace_id: str, named: str) -> Dataset:
    """The dataset of this id, or that the file of this id is. Raises FileMissing and DatasetInvalid."""
    if named.startswith("ds_"):
        found = Dataset.objects.filter(workspace_id=workspace_id, pk=named).first()
        if found is None:
            raise files.FileMissing("There is no such dataset.", param="/training_file")
        return found
    file = files.of(workspace_id, named)
    if file.purpose != "fine-tune":
        raise DatasetInvalid("Upload the file with the purpose fine-tune.", param="/training_file")
    if file.size > settings.DATASET_MAX_BYTES:
        raise datasets.too_large()
    workspace = Workspace.objects.get(pk=workspace_id)
    return finetuning.dataset_of(workspace, file.pk, file.name, files.path_of(file).read_bytes())

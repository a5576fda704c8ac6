"""/v1/fine_tuning/jobs: a file becomes a model that its key calls, in OpenAI's shapes; nothing is ignored in silence."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from openai import OpenAI, PermissionDeniedError, UnprocessableEntityError

from billing.gate import holds
from billing.metering.models import UsageEvent
from billing.plans.seeds import seed_plans
from billing.plans.terms import forget
from marketplace.training import datasets, finetuning, runs
from marketplace.training.models import Dataset, Run, RunState
from marketplace.training.seeds import seed_price
from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.keys.models import KeyKind
from portal.accounts.models import User, Workspace
from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.working import Worker
from tests.marketplace.training.test_runs_of_workspaces import churn, outcome

SCOPES = ["inference", "training"]


class Asking:
    """A client of the interface with one key."""

    def __init__(self, workspace: Workspace, scopes: list[str] = SCOPES, kind: KeyKind = KeyKind.LIVE) -> None:
        self._headers = {"Authorization": f"Bearer {issue(workspace, 'k', limits=Limits(scopes=scopes), kind=kind)[1]}"}
        self._client = Client()

    def get(self, path: str, status: int = 200) -> Any:
        answer = self._client.get(f"/v1/{path}", headers=self._headers)
        assert answer.status_code == status, answer.content
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 200, once: str = "") -> Any:
        answer = self._client.post(
            f"/v1/{path}",
            body or {},
            content_type="application/json",
            headers={**self._headers, **({"Idempotency-Key": once} if once else {})},
        )
        assert answer.status_code == status, answer.content
        return answer.json()

    def upload(self, data: bytes, name: str = "churn.csv", purpose: str = "fine-tune") -> str:
        form = {"purpose": purpose, "file": SimpleUploadedFile(name, data)}
        answer = self._client.post("/v1/files", form, headers=self._headers)
        assert answer.status_code == 200, answer.content
        return str(answer.json()["id"])

    def job(self, **body: Any) -> Any:
        return self.post("fine_tuning/jobs", {"model": "dense", **body})


@pytest.fixture
def asking(workspace: Workspace, settings: LazySettings, tmp_path: Path) -> Asking:
    settings.MEDIA_ROOT, settings.MODELS_DIR = tmp_path / "files", tmp_path / "models"
    seed_plans()
    seed_price()
    forget()
    return Asking(workspace)


def pairs(rows: int = 60) -> bytes:
    lines = [
        {"input": {"size": at % 7, "colour": "red" if at % 2 else "blue"}, "expected": "yes" if at % 2 else "no"}
        for at in range(rows)
    ]
    return "\n".join(map(json.dumps, lines)).encode()


def test_a_job_is_checked_then_waits_and_can_be_canceled(asking: Asking) -> None:
    file = asking.upload(churn())
    made = asking.job(training_file=file, suffix="Churn", seed=7, metadata={"why": "test"}, max_cost="0.01")
    assert (made["object"], made["status"], made["fine_tuned_model"]) == ("fine_tuning.job", "validating_files", None)
    assert (made["training_file"], made["model"], made["seed"], made["max_cost"]) == (file, "dense", 7, "0.01")
    assert made["metadata"] == {"why": "test"}
    assert made["hyperparameters"]["n_epochs"] == 60
    datasets.examine_waiting()
    finetuning.validate_waiting()
    job = asking.get(f"fine_tuning/jobs/{made['id']}")
    assert (job["status"], job["target"]) == ("queued", "leaves")
    told = asking.get(f"fine_tuning/jobs/{made['id']}/events")
    assert [one["message"].split()[0] for one in told["data"]] == ["The", "Created"]
    assert asking.get(f"fine_tuning/jobs/{made['id']}/checkpoints")["data"] == []
    for _ in range(2):
        assert asking.post(f"fine_tuning/jobs/{made['id']}/cancel")["status"] == "cancelled"
    assert runs.claim(timezone.now()) is None
    # The file is one dataset, however often it is trained on; then there is nothing to wait for.
    assert asking.job(training_file=file)["status"] == "queued"
    assert asking.job(training_file=Dataset.objects.get().pk, target="city")["target"] == "city"


def test_a_file_that_cannot_be_used_fails_the_job_and_says_where(asking: Asking) -> None:
    broken = asking.upload(b"a,b\n" + b"1,2\n" * 12 + b"3\n", "broken.csv")
    made = asking.job(training_file=broken)
    waiting = asking.job(training_file=asking.upload(churn()), target="age is no column")
    datasets.examine_waiting()
    finetuning.validate_waiting()
    job = asking.get(f"fine_tuning/jobs/{made['id']}")
    assert (job["status"], job["error"]["code"], job["error"]["param"]) == (
        "failed", "invalid_training_file", "training_file",
    )  # fmt: skip
    assert "Line 14 has 1 columns instead of 2" in job["error"]["message"]
    assert "those that can:" in asking.get(f"fine_tuning/jobs/{waiting['id']}")["error"]["message"]
    assert asking.get(f"fine_tuning/jobs/{made['id']}/events")["data"][0]["level"] == "error"
    assert not UsageEvent.objects.exists()


def test_examples_in_pairs_become_a_table(asking: Asking) -> None:
    made = asking.job(training_file=asking.upload(pairs(), "pairs.jsonl"))
    datasets.examine_waiting()
    finetuning.validate_waiting()
    job = asking.get(f"fine_tuning/jobs/{made['id']}")
    assert (job["status"], job["target"]) == ("queued", "expected")
    table = Dataset.objects.get()
    assert [column["name"] for column in table.profile["columns"]] == ["size", "colour", "expected"]
    bad = pairs(20) + b'\n{"input": {"size": 1}, "expected": "no", "weight": 2}'
    refused = asking.post(
        "fine_tuning/jobs", {"model": "dense", "training_file": asking.upload(bad, "bad.jsonl")}, status=422
    )
    assert refused["error"]["message"] == "Line 21 of the training file: write input and expected, and nothing else."
    talk = {"messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": "ho"}]}
    refused = asking.post(
        "fine_tuning/jobs",
        {"model": "dense", "training_file": asking.upload(json.dumps(talk).encode(), "talk.jsonl")},
        status=422,
    )
    assert "the last message, and no other, is the assistant's" in refused["error"]["message"]


def test_conversations_become_texts_and_their_classes(asking: Asking) -> None:
    said = [
        ("where is my parcel " + "abc"[at % 3], "delivery") if at % 2 else (f"the bill of {at} is wrong", "money")
        for at in range(40)
    ]
    lines = [
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": label}]}
        for text, label in said
    ]
    file = asking.upload("\n".join(map(json.dumps, lines)).encode(), "talks.jsonl")
    made = asking.post("fine_tuning/jobs", {"model": "bag_of_words", "training_file": file})
    asking.post("fine_tuning/jobs", {"model": "additive", "training_file": file})
    datasets.examine_waiting()
    finetuning.validate_waiting()
    run = Run.objects.get(pk=made["id"])
    assert (run.state, run.asked["task"], run.asked["text"]) == (RunState.QUEUED, "text-classification", "input")


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"model": "gpt-4o-mini"}, "/model"),
        ({"validation_file": "file_1"}, "/validation_file"),
        ({"integrations": [{"type": "wandb"}]}, "/integrations"),
        ({"learning_rate": 1}, "/learning_rate"),
        ({"training_file": None}, "/training_file"),
        ({"hyperparameters": {"n_epochs": 0}}, "/hyperparameters"),
        ({"hyperparameters": {"batch_size": 8}}, "/hyperparameters/batch_size"),
        ({"hyperparameters": {"beta": "auto"}}, "/hyperparameters/beta"),
        ({"hyperparameters": {"warmup": 3}}, "/hyperparameters"),
        ({"method": {"type": "dpo"}}, "/method"),
        ({"suffix": "x" * 65}, "/suffix"),
        ({"suffix": "a\0"}, "/suffix"),
        ({"metadata": {"a": 1}}, "/metadata/a"),
        ({"max_cost": "0.0001"}, "/max_cost"),
        ({"seed": "one"}, "/hyperparameters"),
    ],
)
def test_nothing_is_ignored_in_silence(asking: Asking, more: dict[str, Any], param: str) -> None:
    body = {"model": "dense", "training_file": "file_1", **more}
    refused = asking.post("fine_tuning/jobs", body, status=400 if "\0" in str(more.get("suffix")) else 422)
    assert refused["error"]["param"] == param
    assert refused["error"]["type"] == "invalid_request_error"
    assert not Run.objects.exists()


def test_openais_hyperparameters_are_the_recipes_knobs(asking: Asking) -> None:
    file = asking.upload(churn())
    wished = {"n_epochs": 9, "learning_rate_multiplier": 2, "batch_size": "auto", "units": 8}
    method = {"type": "supervised", "supervised": {"hyperparameters": wished}}
    told = asking.job(training_file=file, method=method)["hyperparameters"]
    assert (told["epochs"], told["n_epochs"], told["learning_rate"], told["units"]) == (9, 9, 0.01, 8)
    assert told["dropout"] == 0.2


def test_who_may(asking: Asking, workspace: Workspace, stranger: User) -> None:
    file = asking.upload(churn())
    made = asking.job(training_file=file)
    body = {"model": "dense", "training_file": file}
    assert Asking(workspace, ["inference"]).get("fine_tuning/jobs", 403)["error"]["code"] == "scope_missing"
    assert Asking(workspace, kind=KeyKind.TEST).post("fine_tuning/jobs", body, 403)["error"]["code"] == "test_key"
    other = Asking(stranger.personal_workspace)
    assert other.get("fine_tuning/jobs")["data"] == []
    for path in ("", "/events", "/checkpoints"):
        assert other.get(f"fine_tuning/jobs/{made['id']}{path}", 404)["error"]["code"] == "job_not_found"
    assert other.post(f"fine_tuning/jobs/{made['id']}/cancel", status=404)["error"]["code"] == "job_not_found"
    assert other.post("fine_tuning/jobs", body, 404)["error"]["code"] == "file_not_found"
    assert other.post("fine_tuning/jobs", {**body, "training_file": Dataset.objects.get().pk}, 404)
    batch = asking.upload(b"{}", "b.jsonl", "batch")
    assert (
        "purpose fine-tune"
        in asking.post("fine_tuning/jobs", {**body, "training_file": batch}, 422)["error"]["message"]
    )
    wrong = {"endpoint": "/v1/embeddings", "input_file_id": file}
    assert "purpose batch" in asking.post("batches", wrong, 422)["error"]["message"]
    taken = holds.hold(workspace.pk, "", 990_000_000)
    assert asking.post("fine_tuning/jobs", {**body, "max_cost": "0.1"}, 402)["error"]["type"] == "insufficient_quota"
    holds.release(taken)
    assert Run.objects.count() == 1


def test_a_job_asked_for_twice_is_one_and_lists_have_pages(asking: Asking) -> None:
    file = asking.upload(churn())
    body = {"model": "dense", "training_file": file}
    first, again = (asking.post("fine_tuning/jobs", body, once="once") for _ in range(2))
    assert first["id"] == again["id"]
    others = [asking.job(training_file=file)["id"] for _ in range(2)]
    page = asking.get("fine_tuning/jobs?limit=2")
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (others[::-1], True)
    rest = asking.get(f"fine_tuning/jobs?limit=2&after={page['last_id']}")
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([first["id"]], False)
    assert asking.get("fine_tuning/jobs?metadata[why]=x", 422)["error"]["param"] == "metadata[why]"
    events = asking.get(f"fine_tuning/jobs/{first['id']}/events?limit=1")
    assert asking.get(f"fine_tuning/jobs/{first['id']}/events?after=ftevent_0", 422)["error"]["param"] == "after"
    assert events["object"] == "list"


def test_a_model_that_a_dying_trainer_did_not_publish_is_published_later(asking: Asking) -> None:
    made = asking.job(training_file=asking.upload(churn()), suffix="who leaves?")
    datasets.examine_waiting()
    finetuning.validate_waiting()
    run = runs.claim(timezone.now())
    assert run is not None
    whole = {"phase": "training", "epoch": 1, "loss": 0.5, "metric": 0.7, "epoch_ended": True, "used_s": 2.0}
    assert runs.heartbeat(run, timezone.now(), whole)
    assert runs.finish(run, timezone.now(), outcome(run) | {"spec": {"features": []}}, 4_000)
    path = f"fine_tuning/jobs/{made['id']}"
    assert asking.get(path)["status"] == "running"  # until it can be called
    for _ in range(2):
        finetuning.publish_waiting()
    job = asking.get(path)
    assert (job["status"], job["fine_tuned_model"]) == ("succeeded", f"olga/who-leaves-{made['id'][-8:]}")
    assert job["finished_at"] >= job["created_at"]
    assert job["metrics"] == {"accuracy": 0.9}
    kept = asking.get(f"{path}/checkpoints")["data"]
    assert [one["fine_tuned_model_checkpoint"] for one in kept] == [f"{job['fine_tuned_model']}@1.0.0"]
    told = asking.get(f"{path}/events")["data"]
    assert job["fine_tuned_model"] in told[0]["message"]
    assert told[1]["data"] == {"step": 1, "train_loss": 0.5, "valid_metric": 0.7}
    assert len({one["id"] for one in told}) == len(told)
    assert Run.objects.get().state == RunState.SUCCEEDED


@pytest.mark.slow
def test_openais_sdk_uploads_trains_and_calls(installation: Installation, worker: Worker) -> None:
    installation.manage("shell", "-v0", "-c", "from marketplace.training.seeds import seed_price; seed_price()")
    key = installation.manage("create_key", EMAIL, "--rpm", "0", "--scope", "inference", "--scope", "training")
    client = OpenAI(api_key=key, base_url=f"{installation.url}/v1", max_retries=0)
    with pytest.raises(PermissionDeniedError, match="training"):
        OpenAI(api_key=installation.key, base_url=f"{installation.url}/v1").fine_tuning.jobs.list()
    file = client.files.create(file=("churn.csv", churn(), "text/csv"), purpose="fine-tune")
    with pytest.raises(UnprocessableEntityError, match="validation_file"):
        client.fine_tuning.jobs.create(model="dense", training_file=file.id, validation_file=file.id)
    job = client.fine_tuning.jobs.create(
        model="dense", training_file=file.id, suffix="leavers", seed=3, metadata={"by": "sdk"},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 6}}},
        extra_body={"target": "leaves", "max_cost": "0.02"},
    )  # fmt: skip
    end = time.monotonic() + 240
    while job.status not in ("succeeded", "failed", "cancelled"):
        assert time.monotonic() < end, job
        time.sleep(1)
        job = client.fine_tuning.jobs.retrieve(job.id)
    assert (job.status, job.error) == ("succeeded", None)
    assert job.fine_tuned_model is not None
    events = [event.message for event in client.fine_tuning.jobs.list_events(job.id, limit=2)]  # all pages
    assert job.fine_tuned_model in events[0]
    assert any(message.startswith("Epoch 6: training loss=") for message in events)
    assert events[-1] == "Created fine-tuning job"
    assert len(list(client.fine_tuning.jobs.checkpoints.list(job.id))) == 1
    assert next(iter(client.fine_tuning.jobs.list())).id == job.id  # the newest
    answer = client.post(
        f"/models/{job.fine_tuned_model}/predictions",
        body={"input": {"features": {"age": 60, "city": "Lima"}}},
        cast_to=object,
    )
    assert isinstance(answer, dict)
    assert answer["output"]["label"] in ("yes", "no")

"""What a publisher sent is inspected, loaded, asked and measured behind walls; whatever it does, the portal tells it."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from inference.rehearsal import stage
from marketplace.catalog import versions
from marketplace.models import Model, Submission, Version
from marketplace.publishing import publishing
from marketplace.publishing.publishing import Wish
from marketplace.tasks.task import ModelSpec, Tensor
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Workspace
from tests.fixtures.hostile import NEEDS_WALLS, export
from tests.fixtures.once import Once
from tests.fixtures.people import signed_in
from tests.fixtures.submissions import Submit, message, statuses, zipped

pytestmark = [pytest.mark.slow, NEEDS_WALLS]
X = {"inputs": {"x": [[1, 2, 3]]}}
SPEC = ModelSpec((Tensor("x", "float32", (None, 3)),), (Tensor("y", "float32", (None, 3)),))
DOUBLED = [{"input": X, "expected": {"y": [[2, 4, 6]]}}]


@pytest.fixture(scope="session")
def tripler(once: Once) -> Path:
    """A model that triples, as an archive."""
    folder = once("tripler", lambda folder: export(folder, lambda x: x, variable=3.0))
    return once("tripler-archive", lambda into: zipped(folder, into)) / "tripler.zip"


@pytest.fixture(scope="session")
def moody_archive(moody: Path, once: Once) -> Path:
    return once("moody-archive", lambda into: zipped(moody, into)) / "moody.zip"


def before(workspace: Workspace, folder: Path, spec: ModelSpec) -> Version:
    """The version that callers of the doubler get now."""
    shutil.copytree(folder, settings.MODELS_DIR / "olga" / "doubler" / "one")
    model = Model.objects.create(publisher=workspace, name="doubler", task="tensor", title="Doubler")
    return versions.publish(model, engine="runner", source="olga/doubler/one", spec=spec)


def test_a_good_model_passes_every_check_is_published_and_shows_its_evidence(
    submit: Submit, doubler: Path, workspace: Workspace
) -> None:
    submission = submit(doubler)
    assert submission.state == "passed", [(name, message(submission, name)) for name in statuses(submission)]
    assert set(statuses(submission).values()) <= {"passed", "warned"}
    assert statuses(submission)["golden"] == "passed"
    assert "median" in message(submission, "latency")
    page = signed_in(workspace.memberships.get().user).get(f"/publisher/submissions/{submission.pk}").text
    assert "Publish" in page
    version = publishing.publish(submission, Wish("workspace", None))
    assert publishing.publish(submission, Wish("workspace", None)) == version, "once"
    version.refresh_from_db()
    assert (version.engine, version.semver, version.spec["examples"]) == ("runner", "1.0.0", [X])
    assert (settings.MODELS_DIR / version.source / "saved_model.pb").is_file()
    client = signed_in(workspace.memberships.get().user)
    assert "Answers its examples" in client.get("/models/olga/doubler/evidence").text
    assert "1.0.0" in client.get("/models/olga/doubler/evidence", headers={"HX-Request": "true"}).text
    key = issue(workspace, "k")[1]
    told = client.get("/v1/models/olga/doubler", headers={"Authorization": f"Bearer {key}"}).json()
    assert {check["check"] for check in told["evidence"][0]["checks"]} == set(statuses(submission))


def test_a_second_version_is_numbered_by_what_it_breaks_and_tried_on_a_share(
    submit: Submit, tripler: Path, harmless: Path, workspace: Workspace
) -> None:
    first = before(workspace, harmless, replace(SPEC, outputs=(*SPEC.outputs, Tensor("z", "float32", (None, 3)))))
    submission = submit(tripler, golden=[])
    assert submission.state == "passed"
    found = submission.evidence.get(check_name="schema")
    assert (found.status, found.figure) == ("warned", "2.0.0")
    assert statuses(submission)["golden"] == "skipped"
    version = publishing.publish(submission, Wish("workspace", None, percent=20))
    assert version.semver == "2.0.0"
    shares = {split.version_id: split.weight for split in version.model.splits.all()}
    assert shares == {first.pk: 80, version.pk: 20}
    assert Version.objects.get(pk=version.pk).model.live_version == first


def test_a_version_that_answers_worse_than_the_one_before_it_is_not_published(
    submit: Submit, tripler: Path, harmless: Path, workspace: Workspace
) -> None:
    before(workspace, harmless, SPEC)
    submission = submit(tripler, golden=DOUBLED)
    assert submission.state == "failed"
    assert "Mean absolute error 2, before it 0. That is worse" in message(submission, "golden")
    page = signed_in(workspace.memberships.get().user).get(f"/publisher/submissions/{submission.pk}").text
    assert "1 check failed" in page
    with pytest.raises(publishing.SubmissionInvalid):
        publishing.publish(submission, Wish("workspace", None))
    assert Version.objects.count() == 1


@pytest.mark.parametrize(
    ("seconds", "mebibytes", "within_s", "told"),
    [(600, 0, 2.0, "did not answer in time"), (0, 60_000, 60.0, "stopped while it worked|ResourceExhausted|failed")],
    ids=["hangs", "takes too much memory"],
)
def test_a_model_that_hangs_or_crashes_fails_with_the_reason(
    submit: Submit,
    moody_archive: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    mebibytes: int,
    within_s: float,
    told: str,
) -> None:
    monkeypatch.setattr(stage, "ANSWER_S", within_s)
    submission = submit(moody_archive, golden=[{"input": {"inputs": {"x": [[seconds, mebibytes, 1]]}}, "expected": 1}])
    assert submission.state == "failed"
    assert re.search(told, message(submission, "examples"))
    assert statuses(submission)["loads"] == "passed"
    assert statuses(submission)["latency"] == "skipped"
    assert not (settings.MODELS_DIR / ".submitted").exists()


def keras(**config: Any) -> bytes:
    """A .keras file with this configuration."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"")
    return file.getvalue()


def test_code_in_a_model_is_refused_by_name_and_never_run(submit: Submit, tmp_path: Path) -> None:
    file = tmp_path / "evil.keras"
    file.write_bytes(keras(class_name="Lambda", module="keras.layers", config={"function": "x"}))
    submission = submit(file)
    assert submission.state == "failed"
    assert "holds a Lambda, which runs code" in message(submission, "inspection")
    assert statuses(submission)["loads"] == "skipped"


def test_archives_that_lead_elsewhere_are_refused_before_anything_is_loaded(submit: Submit, tmp_path: Path) -> None:
    file = tmp_path / "evil.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../etc/passwd", "root")
    submission = submit(file)
    assert submission.state == "failed"
    assert "leads out of the archive" in message(submission, "archive")
    file.write_bytes(b"no archive at all")
    assert "cannot be unpacked" in message(submit(file), "archive")
    assert Submission.objects.filter(state="failed").count() == 2

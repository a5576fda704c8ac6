"""Publishers send models in parts or whole, say what they are, and see at once what their words lack."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from marketplace.models import Submission
from marketplace.publishing import review, submitting
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in
from tests.fixtures.submissions import CARD, TOLD, message, statuses

DATA = b"PK" + bytes(98)
FORM = {"model": "doubler", "task": "tensor", "licence": "Apache-2.0", "card": CARD, "price": "row=0.0001"}


@pytest.fixture(autouse=True)
def _files_lie_here(settings: LazySettings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.MODELS_DIR = tmp_path / "files", tmp_path / "models"


@pytest.fixture
def client(owner: User) -> Client:
    return signed_in(owner)


def begin(client: Client, size: int = len(DATA), name: str = "model.zip", **changed: Any) -> tuple[int, dict[str, Any]]:
    answer = client.post("/publisher/submit/uploads", {**FORM, "name": name, "size": size, **changed})
    return answer.status_code, answer.json()


def part(client: Client, submission: str, first: int, data: bytes) -> tuple[int, dict[str, Any]]:
    answer = client.put(
        f"/publisher/submissions/{submission}/content",
        data,
        content_type="application/octet-stream",
        headers={"Content-Range": f"bytes {first}-{first + len(data) - 1}/{len(DATA)}"},
    )
    return answer.status_code, answer.json()


def test_an_upload_goes_on_where_it_broke_off_and_then_waits_in_line(client: Client) -> None:
    status, made = begin(client)
    assert status == 201
    assert part(client, made["id"], 0, DATA[:40]) == (200, {"received": 40})
    assert part(client, made["id"], 0, DATA[:40])[0] == 409
    told = client.get(f"/publisher/submissions/{made['id']}/content").json()
    assert told == {"received": 40, "size": 100, "state": "uploading"}
    assert part(client, made["id"], 40, DATA[40:]) == (200, {"received": 100})
    submission = Submission.objects.get()
    assert submission.state == "queued"
    assert submitting.path_of(submission).read_bytes() == DATA
    assert part(client, made["id"], 0, DATA)[0] == 409


def test_a_plain_form_submits_without_a_script(client: Client) -> None:
    golden = SimpleUploadedFile(
        "golden.jsonl", b'{"input": {"inputs": {"x": [[1, 2, 3]]}}, "expected": {"y": [[2, 4, 6]]}}\n'
    )
    answer = client.post(
        "/publisher/submit", {**FORM, "file": SimpleUploadedFile("my model.zip", DATA), "golden": golden}, follow=True
    )
    assert "olga/doubler" in answer.text
    assert "queued" in answer.text
    submission = Submission.objects.get()
    assert (submission.state, submission.title, submission.size) == ("queued", "Doubler", 100)
    assert submission.golden[0]["expected"] == {"y": [[2, 4, 6]]}
    assert "olga/doubler" in client.get("/publisher/submit").text


@pytest.mark.parametrize(
    ("changed", "status", "told"),
    [
        ({"name": "model.exe"}, 422, "Send a .keras file"),
        ({"size": 2**40}, 413, "larger than"),
        ({"size": 0}, 422, "empty"),
        ({"model": "Big Model"}, 422, "Use 1 to 60 lower-case letters"),
        ({"task": "levitation"}, 422, "Task"),
        ({"price": "row=minus"}, 422, "Price"),
        ({"labels": "cat\ncat"}, 422, "each once"),
        ({"card": "a\0b"}, 400, "U+0000"),
        ({"golden": SimpleUploadedFile("g.jsonl", b'{"input": 1}')}, 422, "Line 1 of the examples"),
        ({"golden": SimpleUploadedFile("g.jsonl", b'{"input": {"inputs": {}}, "expected": "\\u0000"}')}, 422, "U+0000"),
        ({"golden": SimpleUploadedFile("g.csv", b"question,answer\n1,2\n")}, 422, "columns"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    client: Client, changed: dict[str, Any], status: int, told: str
) -> None:
    answer = client.post("/publisher/submit/uploads", {**FORM, "name": "model.zip", "size": 100, **changed})
    assert answer.status_code == status
    assert told in answer.text
    assert not Submission.objects.exists()


def test_words_are_checked_at_once_and_can_be_changed_without_sending_the_file_again(
    client: Client, workspace: Workspace
) -> None:
    submission = submitting.begin(workspace, TOLD | {"card": "It doubles.", "licence": ""}, "a.zip", 100)
    assert statuses(submission) == {"licence": "failed", "card": "failed"}
    assert "what it is for, data, limits" in message(submission, "card")
    Submission.objects.update(state="failed", place="somewhere")  # it was rehearsed
    page = client.get(f"/publisher/submissions/{submission.pk}").text
    assert "2 checks failed" in page
    client.post(f"/publisher/submissions/{submission.pk}", {**FORM, "card": CARD, "licence": "my own"})
    assert statuses(submission) == {"licence": "warned", "card": "passed"}
    submission.refresh_from_db()
    assert submission.state == "passed"


def test_what_is_withdrawn_leaves_no_file_and_cannot_go_on(client: Client, workspace: Workspace) -> None:
    submission = submitting.keep(workspace, TOLD, "a.zip", len(DATA), [DATA])
    held = review.claim(timezone.now())
    assert held is not None
    client.post(f"/publisher/submissions/{submission.pk}/withdraw")
    assert not submitting.path_of(submission).exists()
    with pytest.raises(review.Lost):
        review.rehearsing(held)
    assert Submission.objects.get().state == "withdrawn"
    assert review.claim(timezone.now()) is None


def test_one_worker_at_a_time_holds_it_and_one_that_was_lost_is_followed_three_times(workspace: Workspace) -> None:
    submission = submitting.keep(workspace, TOLD, "a.zip", len(DATA), [DATA])
    submitting.keep(workspace, TOLD, "b.zip", len(DATA), [DATA])
    now = timezone.now()
    first = review.claim(now)
    assert first is not None
    assert first.pk == submission.pk
    assert review.claim(now) is None, "one is being rehearsed"
    for _ in range(2):
        now += timedelta(minutes=1)
        later = review.claim(now)
        assert later is not None
        assert later.pk == submission.pk
    with pytest.raises(review.Lost):
        review.rehearsing(first)
    assert review.claim(now + timedelta(minutes=1)) is None
    submission.refresh_from_db()
    assert submission.state == "failed"
    assert "Three workers were lost" in message(submission, "loads")


def test_what_nobody_goes_on_with_goes_by_itself(workspace: Workspace) -> None:
    submission = submitting.begin(workspace, TOLD, "a.zip", 100)
    submitting.drop_forgotten(timezone.now() + timedelta(days=1))
    assert Submission.objects.get().state == "uploading"
    submitting.drop_forgotten(timezone.now() + timedelta(days=3))
    assert Submission.objects.get().state == "withdrawn"
    assert not submitting.path_of(submission).exists()


def test_only_members_see_it_and_viewers_change_nothing(
    client: Client, workspace: Workspace, stranger: User, teammate: User
) -> None:
    submission = submitting.begin(workspace, TOLD, "a.zip", 100)
    where = f"/publisher/submissions/{submission.pk}"
    assert signed_in(stranger).get(where).status_code == 404
    assert part(client, submission.pk, 0, DATA[:9])[0] == 200
    viewer = signed_in(teammate)
    session = viewer.session
    session["workspace"] = workspace.pk
    session.save()
    assert viewer.get(where).status_code == 200
    assert viewer.post(f"{where}/withdraw").status_code == 403
    assert viewer.post(where, FORM).status_code == 403

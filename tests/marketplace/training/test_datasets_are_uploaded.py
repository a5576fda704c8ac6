"""Datasets: whole or in parts, bounded, checked, and the workspace's own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from marketplace.training import datasets
from marketplace.training.models import Dataset
from marketplace.training.samples import sample
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in

DATA = b"age,city,churn\n" + b"".join(b"%d,%s,%s\n" % (20 + i, (b"Rome", b"Oslo")[i % 2], (b"no", b"yes")[i % 2]) for i in range(30))  # fmt: skip


@pytest.fixture(autouse=True)
def _files_lie_here(settings: LazySettings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def client(owner: User) -> Client:
    return signed_in(owner)


def part(client: Client, dataset_id: str, first: int, data: bytes, size: int) -> tuple[int, dict[str, object]]:
    answer = client.put(
        f"/training/datasets/{dataset_id}/content",
        data,
        content_type="application/octet-stream",
        headers={"Content-Range": f"bytes {first}-{first + len(data) - 1}/{size}"},
    )
    return answer.status_code, answer.json()


def test_a_newcomer_learns_what_a_dataset_is_and_begins_with_a_sample(client: Client, workspace: Workspace) -> None:
    assert "No datasets yet" in client.get("/training").text
    answer = client.post("/training/samples", {"name": "wine"}, follow=True)
    assert "Being checked" in answer.text
    datasets.examine_waiting()
    page = client.get(f"/training/datasets/{Dataset.objects.get().pk}").text
    assert "flavanoids" in page
    assert "cultivar 0 (59)" in page
    assert "<rect" in page


def test_a_plain_form_uploads_without_a_script(client: Client) -> None:
    answer = client.post("/training", {"file": SimpleUploadedFile("my table.csv", DATA)}, follow=True)
    assert "Being checked" in answer.text
    datasets.examine_waiting()
    dataset = Dataset.objects.get()
    assert (dataset.state, dataset.rows, dataset.name) == ("ready", 30, "my table.csv")
    assert len(dataset.sha256) == 64


def test_an_upload_goes_on_where_it_broke_off(client: Client) -> None:
    made = client.post("/training/uploads", {"name": "a.csv", "size": len(DATA)}).json()
    assert part(client, made["id"], 0, DATA[:50], len(DATA)) == (200, {"received": 50})
    status, told = part(client, made["id"], 0, DATA[:50], len(DATA))  # its answer was lost: sent again
    assert (status, told["received"]) == (409, 50)
    assert client.get(f"/training/datasets/{made['id']}/content").json()["received"] == 50
    assert part(client, made["id"], 50, DATA[50:], len(DATA)) == (200, {"received": len(DATA)})
    datasets.examine_waiting()
    assert Dataset.objects.get().rows == 30
    assert part(client, made["id"], 0, DATA[:50], len(DATA))[0] == 409


def test_what_is_too_large_is_refused_before_it_is_read(client: Client, settings: LazySettings) -> None:
    settings.DATASET_MAX_BYTES = 100
    assert client.post("/training/uploads", {"name": "a.csv", "size": 101}).status_code == 413
    answer = client.post("/training", {"file": SimpleUploadedFile("a.csv", bytes(200))})
    assert answer.status_code == 413
    assert "larger than" in answer.text
    assert client.post("/training", {"file": SimpleUploadedFile("a.csv", bytes(90_000))}).status_code == 413
    made = client.post("/training/uploads", {"name": "a.csv", "size": 10}).json()
    assert part(client, made["id"], 0, bytes(11), 10)[0] == 422
    assert client.get(f"/training/datasets/{made['id']}/content").json()["received"] == 0


def test_a_file_that_is_no_table_says_why_in_the_readers_language(client: Client) -> None:
    client.post("/training", {"file": SimpleUploadedFile("a.csv", b"a,b\n" + b"1,2\n" * 12 + b"3\n")})
    datasets.examine_waiting()
    where = f"/training/datasets/{Dataset.objects.get().pk}"
    assert "Line 14 has 1 columns instead of 2: b is missing." in client.get(where).text
    assert client.post("/training", {"file": SimpleUploadedFile("a.exe", b"MZ")}).status_code == 422
    assert client.post("/training", {}).status_code == 422


def test_only_members_of_the_workspace_see_it_and_viewers_change_nothing(
    client: Client, workspace: Workspace, stranger: User, teammate: User
) -> None:
    mine = datasets.keep(workspace, "secret.csv", len(DATA), [DATA])
    where = f"/training/datasets/{mine.pk}"
    other, viewer = signed_in(stranger), signed_in(teammate)
    viewer.post("/settings/workspace", {"workspace": workspace.pk})
    for path in (where, f"{where}/content"):
        assert other.get(path).status_code == 404
        assert viewer.get(path).status_code == 200
    assert "secret.csv" not in other.get("/training").text
    assert other.put(f"{where}/content", b"x").status_code == 404
    assert other.post(f"{where}/delete").status_code == 404
    assert viewer.post(f"{where}/delete").status_code == 403
    assert viewer.post("/training/samples", {"name": "wine"}).status_code == 403


def test_deleting_takes_the_file_too_and_what_was_never_finished_goes_by_itself(
    client: Client, workspace: Workspace
) -> None:
    data = sample("iris")
    kept = datasets.keep(workspace, "iris.csv", len(data), [data])
    place = datasets.path_of(kept)
    assert place.exists()
    client.post(f"/training/datasets/{kept.pk}/delete")
    assert not place.exists()
    given_up = datasets.begin(workspace, "b.csv", 9)
    datasets.drop_unfinished(timezone.now() + timedelta(hours=23))
    assert Dataset.objects.filter(pk=given_up.pk).exists()
    datasets.drop_unfinished(timezone.now() + timedelta(hours=25))
    assert not Dataset.objects.exists()


def test_a_workspace_keeps_so_many_datasets(client: Client, workspace: Workspace, settings: LazySettings) -> None:
    settings.DATASETS_MAX = 1
    datasets.begin(workspace, "a.csv", 9)
    assert client.post("/training/uploads", {"name": "b.csv", "size": 9}).status_code == 409

"""The console's page that brings models in: asked for there, done by a worker, told by its row."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from billing.prices import book
from marketplace.jobs import bring_in_models
from marketplace.models import Import, Model, Version
from marketplace.publishing import imports
from portal.accounts.models import User
from tests.fixtures.hostile import NEEDS_WALLS
from tests.fixtures.people import person, signed_in
from tests.fixtures.serving import Installation

PAGE = "/admin/marketplace/import/add/"
ASKED = {
    "slug": "acme/writer", "task": "chat", "engine": "openai", "source": "http://127.0.0.1:9/v1", "upstream_model": "big",
    "price": "input_token=0.50\noutput_token=2",
}  # fmt: skip


@pytest.fixture
def operator(transactional_db: None) -> Client:
    return signed_in(User.objects.create_superuser("root@example.com", "a-long-Passw0rd"))


def ask(operator: Client, **changed: Any) -> str:
    return operator.post(PAGE, {**ASKED, **changed}, follow=True).text


def test_what_is_asked_for_is_live_once_a_worker_was_at_it(operator: Client) -> None:
    assert "acme/writer" in ask(operator)
    bring_in_models()
    asked = Import.objects.get()
    assert (asked.state, asked.asked_by) == ("succeeded", User.objects.get())
    model = Model.objects.get()
    assert (model.slug, model.live_version, asked.version) == ("acme/writer", asked.version, asked.version)
    assert asked.version is not None
    assert asked.version.options == {"upstream_model": "big"}
    price = book.current(model.pk)
    assert price is not None
    assert book.label(price.scheme) == "$0.50 / 1M input tokens · $2.00 / 1M output tokens"
    page = operator.get(f"/admin/marketplace/import/{asked.pk}/change/").text
    assert "acme/writer v1" in page


@pytest.mark.slow
def test_a_model_on_a_server_of_the_open_inference_protocol_comes_with_its_signature(
    operator: Client, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_THE_OTHER", installation.key)
    ask(
        operator, slug="acme/doubler", task="tensor", engine="oip", source=installation.url, price="row=0.0001",
        upstream_model="bench/doubler", upstream_key_env="KEY_OF_THE_OTHER",
    )  # fmt: skip
    bring_in_models()
    asked = Import.objects.get()
    assert (asked.state, asked.error) == ("succeeded", "")
    assert asked.version is not None
    assert [tensor["name"] for tensor in asked.version.spec["inputs"]] == ["x"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"slug": "writer"}, "is not of the form PUBLISHER/NAME"),
        ({"slug": "acme/Big Writer"}, "Use 1 to 60 lower-case letters"),
        ({"slug": "Acme!/writer"}, "The publisher"),
        ({"price": "0.25"}, "write it like output_token=0.25"),
        ({"price": "output_token=-1"}, "with nine decimals at most"),
        ({"price": "token=1"}, "is not a unit"),
        ({"source": ""}, "Name a source, or choose a file."),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_at_once_and_nothing_is_queued(
    operator: Client, changed: dict[str, str], told: str
) -> None:
    assert told in ask(operator, **changed)
    assert not Import.objects.exists()


def test_what_turns_out_to_be_no_model_says_so_and_the_next_goes_on(operator: Client, tmp_path: Path) -> None:
    ask(operator, engine="tensorflow", source=str(tmp_path))
    ask(operator, slug="acme/other")
    for _ in range(2):
        bring_in_models()
    bad, good = Import.objects.order_by("created_at")
    assert (bad.state, good.state) == ("failed", "succeeded")
    assert "is no model: it has no saved_model.pb" in bad.error
    assert not Model.objects.filter(name="writer").exists(), "nothing half made is left"


def test_a_worker_that_is_lost_is_followed_by_another_and_the_model_comes_once(operator: Client) -> None:
    ask(operator)
    lost = imports.claim(timezone.now())
    assert lost is not None
    assert imports.claim(timezone.now()) is None, "it is being worked on"
    later = imports.claim(timezone.now() + imports.LEASE + timedelta(seconds=1))
    assert later is not None
    imports.work(later)
    imports.work(lost)  # it was not dead, only slow
    assert Version.objects.count() == 1
    assert Import.objects.get().state == "succeeded"


def test_only_operators_may_ask(transactional_db: Any) -> None:
    ada = signed_in(person("ada@example.com"))
    assert ada.post(PAGE, ASKED).status_code == 302
    assert not Import.objects.exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"source": "", "engine": "runner"}, "Name a source, or choose a file."),
        ({"engine": "runner", "upload": SimpleUploadedFile("m.zip", b"PK")}, "not both"),
        ({"source": "", "upload": SimpleUploadedFile("m.zip", b"PK")}, "A file runs here"),
        ({"source": "", "engine": "runner", "upload": SimpleUploadedFile("m.exe", b"MZ")}, "ends in none of"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_that_cannot_be_is_refused_at_once(operator: Client, changed: dict[str, Any], told: str) -> None:
    assert told in ask(operator, **changed)
    assert not Import.objects.exists()


@pytest.mark.slow
@NEEDS_WALLS
def test_an_uploaded_file_becomes_a_model_whose_form_is_its_signatures(
    operator: Client, keras_file: Path, settings: LazySettings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT, settings.MODELS_DIR = tmp_path / "files", tmp_path / "models"
    file = SimpleUploadedFile("model.keras", (keras_file / "model.keras").read_bytes())
    ask(operator, task="tensor", engine="runner", source="", price="row=0.001", upload=file)
    bring_in_models()
    asked = Import.objects.get()
    assert asked.state == "succeeded", asked.error
    assert asked.version is not None
    assert [tensor["shape"] for tensor in asked.version.spec["inputs"]] == [[None, 3]]
    assert (settings.MODELS_DIR / asked.version.source / "model.keras").is_file()
    assert not list((tmp_path / "files" / "imports").iterdir()), "the upload is not needed any more"
    name = asked.version.spec["inputs"][0]["name"]
    assert f"&quot;{name}&quot;" in operator.get("/models/acme/writer").text

"""The OpenAPI document: valid, complete, and kept to by the server whatever is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from portal.pages.openapi import document
from tests.fixtures.serving import EMAIL, Installation


def test_every_address_of_the_interface_is_in_it() -> None:
    paths = document()["paths"]
    assert {"/v1/chat/completions", "/v1/messages", "/v2/models/{publisher}/{name}/infer", "/v1/batches"} <= set(paths)
    assert "post" in paths["/v1/models/{publisher}/{name}:predict"]
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_every_operation_says_what_it_does() -> None:
    for methods in document()["paths"].values():
        said = [operation["summary"] for operation in methods.values()]
        assert len(set(said)) == len(said)
        assert not [summary for summary in said if summary.split()[0] in ("GET", "POST", "PATCH", "DELETE")]


@pytest.mark.django_db
def test_people_can_read_it() -> None:
    page = Client().get("/docs/api").content.decode()
    assert "/v1/chat/completions" in page
    assert "max_cost" in page


@pytest.mark.slow
def test_whatever_is_sent_no_mistake_of_ours_and_no_status_that_is_not_documented(
    installation: Installation, tmp_path: Path
) -> None:
    key = installation.manage(
        "create_key", EMAIL, "--rpm", "0", "--scope", "keys", "--scope", "usage", "--scope", "inference"
    )
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{installation.url}/openapi.json", "--url", installation.url,
         "--header", f"Authorization: Bearer {key}", "--checks", "not_a_server_error,status_code_conformance",
         "--max-examples", "8", "--phases", "examples,coverage,fuzzing", "--seed", "7", "--continue-on-failure",
         "--exclude-path-regex", "/stream$", "--no-color", "--request-timeout", "20"],
        capture_output=True, text=True, timeout=400, cwd=tmp_path,
    )  # fmt: skip
    _, _, found = done.stdout.partition("= FAILURES =")
    assert done.returncode == 0, found[:6000] + done.stderr[-1000:]

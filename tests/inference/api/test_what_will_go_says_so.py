"""Answers of a version that will go carry Deprecation and Sunset, in every protocol; once it is gone, 410 says what follows."""

from __future__ import annotations

import time

import pytest

from tests.fixtures.serving import Installation

CHAT = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
ANNOUNCE = """
from datetime import timedelta
from django.utils import timezone
from marketplace.catalog import retiring
from marketplace.models import Model, Retirement
model, now = Model.objects.get(name="leaving"), timezone.now()
retiring.announce(model, model.versions.get(number=1), now + timedelta(days=30), now, successor=Model.objects.get(name="m"))
"""
PASS = "from marketplace.models import Retirement as R; from django.utils import timezone; R.objects.update(ends_at=timezone.now())"


@pytest.fixture
def leaving(installation: Installation) -> Installation:
    """`bench/leaving` with two versions, the first of which will go."""
    for _ in range(2):
        installation.manage(
            "add_model", "bench/leaving", "--task", "chat", "--engine", "openai",
            "--source", installation.upstream.url, "--upstream-model", "m",
        )  # fmt: skip
    installation.manage("shell", "-v0", "-c", ANNOUNCE)
    time.sleep(1.1)  # what processes remember of the catalog is a second old at most
    return installation


def test_its_callers_are_told_by_headers_and_later_by_a_refusal(leaving: Installation) -> None:
    for path, body in (
        ("/v1/chat/completions", {"model": "bench/leaving@1", **CHAT}),
        ("/v1/messages", {"model": "bench/leaving@1", **CHAT}),
        ("/v1/models/bench/leaving@1/predictions", {"input": CHAT}),
    ):
        status, _, headers = leaving.call(path, body)
        assert status == 200
        assert headers["deprecation"].startswith("@1")
        assert headers["sunset"].endswith(" GMT")
        assert headers["link"].endswith('/models/bench/m>; rel="successor-version"')
    assert "deprecation" not in leaving.call("/v1/chat/completions", {"model": "bench/leaving", **CHAT})[2]
    leaving.manage("shell", "-v0", "-c", PASS)
    time.sleep(1.1)
    status, answer, _ = leaving.call("/v1/chat/completions", {"model": "bench/leaving@1", **CHAT})
    assert (status, answer["error"]["code"]) == (410, "model_retired")
    assert "Use bench/m." in answer["error"]["message"]
    assert leaving.call("/v1/chat/completions", {"model": "bench/leaving", **CHAT})[0] == 200

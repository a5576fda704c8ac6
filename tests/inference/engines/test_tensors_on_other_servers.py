"""The engine `oip`, on a real server of the protocol: another installation of this product."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.servers import free_port
from tests.fixtures.serving import Installation
from tests.fixtures.upstream import Upstream

INFER = {"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]}]}


@pytest.fixture(scope="module")
def reseller(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose `resell/doubler` runs on the other one."""
    os.environ["THE_OTHERS_KEY"] = installation.key
    made = Installation(tmp_path_factory.mktemp("reseller"), Upstream(), apart=True)
    made.install(credit="10")
    made.manage(
        "add_model", "resell/doubler", "--task", "tensor", "--engine", "oip", "--source", installation.url,
        "--upstream-model", "bench/doubler", "--upstream-key-env", "THE_OTHERS_KEY", "--price-request", "0.0002",
    )  # fmt: skip
    made.start()
    yield made
    made.stop()
    made.upstream.shutdown()
    made.upstream.server_close()
    del os.environ["THE_OTHERS_KEY"]


def test_its_signature_is_read_and_its_answers_are_the_others(
    reseller: Installation, installation: Installation
) -> None:
    described = reseller.call("/v2/models/resell/doubler")[1]
    assert described["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]
    paid = installation.used()["total_nanos"]
    status, answer, headers = reseller.call("/v2/models/resell/doubler/infer", INFER)
    assert status == 200, answer
    assert {output["name"]: output["data"] for output in answer["outputs"]}["sum"] == [6, 15]
    assert headers["x-mercato-cost"] == "0.0002"
    assert installation.used()["total_nanos"] - paid == 100_000
    given = {"input": {"inputs": {"x": [[1, 2, 3]]}}}
    assert reseller.call("/v1/models/resell/doubler/predictions", given)[1]["output"]["outputs"]["sum"] == [[6]]


def test_a_server_that_is_away_is_502_and_free(reseller: Installation, installation: Installation) -> None:
    paid = reseller.used()["total_nanos"]
    installation.stop()
    try:
        status, answer, _ = reseller.call("/v2/models/resell/doubler/infer", INFER)
        assert (status, answer["code"]) == (502, "upstream_failed")
    finally:
        installation.start()
    assert reseller.used()["total_nanos"] == paid


def test_an_address_that_does_not_speak_the_protocol_is_refused_at_import(
    reseller: Installation, tmp_path: Path
) -> None:
    said = reseller.manage(
        "add_model", "resell/none", "--task", "tensor", "--engine", "oip", "--source", reseller.url, fails=2
    )
    assert "--upstream-key-env" in said


def test_an_address_where_nobody_answers_is_refused_at_import(reseller: Installation) -> None:
    said = reseller.manage(
        "add_model", "resell/away", "--task", "tensor", "--engine", "oip", "--source", f"http://127.0.0.1:{free_port()}",
        fails=2,
    )  # fmt: skip
    assert "cannot be reached" in said
    assert "Traceback" not in said

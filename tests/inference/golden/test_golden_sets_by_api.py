"""/v1/golden_sets: made, estimated, run, read and deleted with a key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.gate.tokens import issue_token
from inference.golden.models import GoldenSet
from portal.accounts.keys.issuing import issue
from portal.accounts.keys.models import KeyKind
from portal.accounts.models import User, Workspace
from tests.fixtures.oracle import Oracle
from tests.inference.golden.test_a_run_compares_models import COST, EXAMPLES, talker, worked

SETS = "/v1/golden_sets"


class Api:
    """A client with a key."""

    def __init__(self, secret: str) -> None:
        self._headers = {"authorization": f"Bearer {secret}"}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        more: dict[str, Any] = {} if body is None else {"data": body, "content_type": "application/json"}
        answer = getattr(Client(), method.lower())(path, headers={**self._headers, **headers}, **more)
        return answer.status_code, answer.json()


@pytest.fixture
def api(funded: Workspace) -> Api:
    return Api(issue(funded, "all")[1])


def made(api: Api) -> str:
    status, answer = api("POST", SETS, {"name": "questions", "task": "chat", "examples": EXAMPLES})
    assert status == 201, answer
    return str(answer["id"])


def test_from_examples_to_results(api: Api, oracle: Oracle) -> None:
    from inference.golden.models import GoldenRun

    oracle.knows = {one["input"]: one["expected"] for one in EXAMPLES}  # type: ignore[misc] # texts
    model, set_id = talker(oracle, "known"), made(api)
    status, guess = api("POST", f"{SETS}/{set_id}/estimate", {"models": [model]})
    assert (status, guess["models"][0]["model"], guess["models"][0]["refused"]) == (200, "acme/known@1", 0)
    assert float(guess["max_cost"]) >= 8 * COST / 1e9
    status, run = api("POST", f"{SETS}/{set_id}/runs", {"models": [model], "max_cost": guess["max_cost"]})
    assert (status, run["status"], run["results"], run["max_cost"]) == (201, "queued", None, guess["max_cost"])
    worked(GoldenRun.objects.get(pk=run["id"]))
    status, run = api("GET", f"{SETS}/{set_id}/runs/{run['id']}")
    assert (status, run["status"], run["answers"]) == (200, "completed", {"total": 8, "done": 8})
    (found,) = run["results"]["models"]
    assert found["figures"]["exact_match"] == [1.0, 1.0, 1.0]
    assert (found["cost"], found["cost_per_1000"]) == ("0.00016", "0.02")
    status, answers = api("GET", f"{SETS}/{set_id}/runs/{run['id']}/answers?limit=3&after=2")
    assert [one["number"] for one in answers["data"]] == [3, 4, 5]
    assert answers["data"][0]["answers"][0]["said"] == "answer 3"
    assert answers["has_more"]
    assert api("GET", f"{SETS}/{set_id}/runs")[1]["data"][0]["id"] == run["id"]
    assert api("DELETE", f"{SETS}/{set_id}")[1]["deleted"]
    assert api("GET", f"{SETS}/{set_id}")[0] == 404


def test_mistakes_are_told_by_the_place_of_the_example(api: Api) -> None:
    examples = [EXAMPLES[0], {"input": "x"}, {"input": "", "expected": "y"}]
    status, answer = api("POST", SETS, {"name": "n", "task": "chat", "examples": examples})
    assert (status, answer["error"]["code"]) == (422, "golden_set_invalid")
    assert [one["line"] for one in answer["error"]["errors"]] == [2]
    status, answer = api("POST", SETS, {"name": "n", "task": "tensor", "examples": examples})
    assert (status, answer["error"]["param"]) == (422, "/task")
    assert "its model" in answer["error"]["message"]
    for body, param in (({"name": 1}, "/name"), ({"name": "n", "task": "chat"}, "/examples"), ({"size": 1}, "/size")):
        status, answer = api("POST", SETS, body)
        assert (status, answer["error"]["param"]) == (422, param)


def test_with_an_idempotency_key_it_is_made_once(api: Api) -> None:
    body = {"name": "questions", "task": "chat", "examples": EXAMPLES}
    ids = {api("POST", SETS, body, **{"idempotency-key": "one"})[1]["id"] for _ in range(2)}
    assert len(ids) == GoldenSet.objects.count() == 1


def test_keys_for_tests_and_for_browsers_are_refused(funded: Workspace, owner: User) -> None:
    test = Api(issue(funded, "test", kind=KeyKind.TEST)[1])
    token = Api(issue_token(funded, "acme/known", timezone.now() + timedelta(minutes=5), 10**9, created_by=owner)[1])
    for key, code in ((test, "key_is_for_tests"), (token, "key_is_for_browsers")):
        for method, path, body in (
            ("GET", SETS, None), ("POST", SETS, {"name": "n", "task": "chat", "examples": EXAMPLES}),
            ("POST", f"{SETS}/gold_x/runs", {"models": ["acme/known"]}), ("GET", f"{SETS}/gold_x", None),
        ):  # fmt: skip
            status, answer = key(method, path, body)
            assert (status, answer["error"]["code"]) == (403, code), path


def test_another_workspaces_set_does_not_exist(api: Api, stranger: User) -> None:
    set_id = made(api)
    other = Api(issue(stranger.personal_workspace, "other")[1])
    assert other("GET", f"{SETS}/{set_id}")[0] == 404
    assert other("POST", f"{SETS}/{set_id}/runs", {"models": ["acme/known"]})[0] == 404
    assert other("DELETE", f"{SETS}/{set_id}")[0] == 404
    assert other("GET", SETS)[1]["data"] == []
    assert len(api("GET", SETS)[1]["data"]) == 1

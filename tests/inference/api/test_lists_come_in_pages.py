"""Models, files and batches in pages, as the official SDKs turn them."""

from __future__ import annotations

import io
from typing import Any

import anthropic
import openai
import pytest

from tests.fixtures.serving import Installation


@pytest.fixture
def client(installation: Installation) -> Any:
    return openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key, max_retries=0)


def paged(client: Any, limit: int, **filters: str) -> list[str]:
    """The models' names, by `after`."""
    found: list[str] = []
    while True:
        page = client.models.list(extra_query={"limit": limit, **filters, **({"after": found[-1]} if found else {})})
        assert len(page.data) <= limit
        found += [model.id for model in page.data]
        if not page.has_more:
            return found
        assert page.last_id == found[-1]


def test_models_are_listed_in_pages_and_found_by_name(client: Any) -> None:
    whole = [model.id for model in client.models.list()]
    assert paged(client, 1) == paged(client, 3) == whole
    assert len(set(whole)) == len(whole) >= 4
    found = client.models.retrieve("bench/m")  # the SDK writes the slash as %2F
    assert (found.id, found.object) == ("bench/m", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("bench/none")


def test_models_are_chosen_by_task(client: Any) -> None:
    chosen = paged(client, 2, task="embeddings")
    assert "bench/vectors" in chosen
    assert "bench/m" not in chosen


@pytest.mark.parametrize(
    ("path", "param"),
    [("models?limit=0", "limit"), ("models?limit=x", "limit"), ("models?limit=1001", "limit"),
     ("models?task=telepathy", "task"), ("models?before_id=bench/m", "before_id"), ("files?order=up", "order"),
     ("files?after=file_none", "after"), ("batches?limit=101", "limit"), ("batches?after=batch_none", "after")],
)  # fmt: skip
def test_a_page_that_cannot_be_is_refused(installation: Installation, path: str, param: str) -> None:
    status, refused, _ = installation.call(f"/v1/{path}")
    assert (status, refused["error"]["param"]) == (422, param)
    assert installation.call("/v1/models?after=bench/none")[0] == 404


def test_anthropics_sdk_turns_the_pages_of_models(client: Any, installation: Installation) -> None:
    claude = anthropic.Anthropic(base_url=installation.url, api_key=installation.key, max_retries=0)
    listed = list(claude.models.list(limit=2))
    assert [model.id for model in listed] == [model.id for model in client.models.list()]
    assert {model.type for model in listed} == {"model"}
    assert all(model.display_name and model.created_at.year > 2000 for model in listed)


def test_files_and_batches_are_listed_in_pages(client: Any) -> None:
    def upload(at: int) -> str:
        file = io.BytesIO(b'{"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {}}')
        file.name = f"{at}.jsonl"
        name: str = client.files.create(file=file, purpose="batch").id
        return name

    files = [upload(at) for at in range(5)]
    listed = [file.id for file in client.files.list(limit=2, purpose="batch")]
    assert [name for name in listed if name in files] == files[::-1], "newest first, over all pages"
    oldest = [file.id for file in client.files.list(limit=2, order="asc", purpose="batch")]
    assert oldest == listed[::-1]
    assert list(client.files.list(purpose="vision")) == []
    batches = [
        client.batches.create(input_file_id=file, endpoint="/v1/embeddings", completion_window="24h").id
        for file in files
    ]
    turned = [batch.id for batch in client.batches.list(limit=2)]
    assert [name for name in turned if name in batches] == batches[::-1]
    assert len(set(turned)) == len(turned)


@pytest.mark.parametrize(
    ("asked", "param"),
    [({"metadata": {"k" * 65: "v"}}, "/metadata/"), ({"metadata": {"k": "v" * 513}}, "/metadata/k"),
     ({"metadata": {str(at): "v" for at in range(17)}}, "/metadata"), ({"priority": 1}, "/priority"),
     ({"output_expires_after": {"anchor": "created_at", "seconds": 3_600}}, "/output_expires_after")],
    ids=lambda asked: str(asked)[:30],
)  # fmt: skip
def test_what_a_batch_or_a_file_cannot_have_is_refused_by_name(client: Any, asked: dict[str, Any], param: str) -> None:
    file = client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        client.batches.create(
            input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h", extra_body=asked
        )
    assert refused.value.body["param"].startswith(param)
    with pytest.raises(openai.UnprocessableEntityError, match="expires_after"):
        client.files.create(
            file=("a.jsonl", b"{}"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3_600}
        )


def test_models_are_searched_as_in_the_catalog(client: Any) -> None:
    found = paged(client, 2, q="bnech", sort="name")  # mistyped
    assert found
    assert all(name.startswith("bench/") for name in found)
    assert paged(client, 50, q="bench", task="chat", sort="cheapest") == paged(
        client, 1, q="bench", task="chat", sort="cheapest"
    )
    for wrong in ({"sort": "none"}, {"q": "bench", "task": "none"}, {"q": "bench", "after": "no/such"}):
        with pytest.raises(openai.APIStatusError) as refused:
            client.models.list(extra_query=wrong)
        assert refused.value.status_code in (400, 422)

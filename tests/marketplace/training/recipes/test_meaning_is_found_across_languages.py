"""The sentence encoder and the search, called as anybody calls them: by OpenAI's SDK and by predictions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import openai
import pytest

from tests.fixtures.serving import Installation

pytestmark = pytest.mark.slow
ALIKE = ["Please enter a valid email address.", "Bitte geben Sie eine gültige E-Mail-Adresse ein."]
OTHER = "Your password was changed."


def test_the_openai_sdk_gets_vectors_that_lie_close_where_texts_mean_alike(
    installation: Installation, served_starter: Callable[[str], str]
) -> None:
    client = openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key, max_retries=0)
    slug = served_starter("sentences")
    made = client.embeddings.create(model=slug, input=[*ALIKE, OTHER])
    one, same, other = (np.asarray(item.embedding) for item in made.data)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-4)
    assert one @ same > 0.5 > one @ other
    assert made.usage.prompt_tokens == 6 + 9 + 4, "a token is a word; what is between two is none"
    short = client.embeddings.create(model=slug, input=ALIKE[0], dimensions=8).data[0].embedding
    assert np.linalg.norm(short) == pytest.approx(1, abs=1e-4)
    assert len(short) == 8


def test_only_what_is_read_is_billed(installation: Installation, served_starter: Callable[[str], str]) -> None:
    path = f"/v1/models/{served_starter('sentences')}/predictions"
    for text, tokens in (("…", 0), ("word " * 1_000, 16), ("请输入", 3)):
        status, prediction, headers = installation.call(path, {"input": {"texts": [text]}})
        assert status == 200, prediction
        assert float(headers["x-mercato-cost"]) == pytest.approx(tokens * 0.02 / 1_000_000)


def test_rows_that_would_not_tell_what_is_read_are_refused(
    installation: Installation, served_starter: Callable[[str], str]
) -> None:
    body = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}
    status, problem, _ = installation.call(f"/v2/models/{served_starter('sentences')}/infer", body)
    assert status == 400, problem
    assert "reads text" in str(problem)


def test_a_search_finds_what_is_meant_in_another_language(
    installation: Installation, served_starter: Callable[[str], str]
) -> None:
    documents = ["Geben Sie eine gültige E-Mail-Adresse ein.", "Passwort zurücksetzen", "Keine Ergebnisse", "zxqv"]
    asked = {"query": "Password reset", "documents": documents, "top_k": 2}
    status, prediction, headers = installation.call(
        f"/v1/models/{served_starter('search')}/predictions", {"input": asked}
    )
    assert status == 200, prediction
    assert [item["index"] for item in prediction["output"]["items"]][0] == 1
    assert len(prediction["output"]["items"]) == 2
    assert float(headers["x-mercato-cost"]) == pytest.approx(5 * 0.00002), "the query and each document is a row"

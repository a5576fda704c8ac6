"""Vectors of texts: cut where that is asked for, counted by what the model read, and compared for a search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marketplace.errors import InputInvalid
from marketplace.tasks import registry
from marketplace.tasks.embeddings import counted
from marketplace.tasks.task import ModelSpec, Tensor

READS_TEXT = ModelSpec((Tensor("text", "str", (None,)),))
EMBEDDINGS, SEARCH = registry.get("embeddings"), registry.get("semantic-search")


def vectors(*rows: list[float]) -> dict[str, Any]:
    return {"tokens": np.arange(1, len(rows) + 1, dtype=np.int32), "vector": np.array(rows, np.float32)}


def test_a_model_that_reads_text_gets_a_row_for_each() -> None:
    assert EMBEDDINGS.codec.prepare({"texts": ["a", "ü"]}, READS_TEXT)["text"].tolist() == ["a", "ü"]
    with pytest.raises(InputInvalid, match="texts, not tokens"):
        EMBEDDINGS.codec.prepare({"texts": [[1, 2]]}, READS_TEXT)
    with pytest.raises(InputInvalid, match="its engine makes"):
        EMBEDDINGS.codec.prepare({"texts": ["a"]}, ModelSpec())


def test_fewer_dimensions_keep_a_vectors_length() -> None:
    (short,) = EMBEDDINGS.codec.present({"dimensions": 2}, vectors([0.6, 0, 0.8]), READS_TEXT)["embeddings"]
    assert short == pytest.approx([1, 0])
    with pytest.raises(InputInvalid, match="3 dimensions"):
        EMBEDDINGS.codec.present({"dimensions": 4}, vectors([0.6, 0, 0.8]), READS_TEXT)


def test_tokens_are_those_that_the_model_says_it_read_else_words() -> None:
    given = {"texts": ["one two three", "four"]}
    assert counted(EMBEDDINGS, given, vectors([1], [1])) == {"input_token": 3}
    assert counted(EMBEDDINGS, given, {"vector": np.ones((2, 1))}) == {"input_token": 4}
    assert counted(SEARCH, given, vectors([1], [1])) == {}


def test_documents_are_ranked_by_the_cosine_with_the_query() -> None:
    given = {"query": "q", "documents": ["away", "near", "nothing", "same"], "top_k": 3}
    outputs = vectors([1, 0], [-1, 0], [3, 3], [0, 0], [9, 0])
    items = SEARCH.codec.present(given, outputs, READS_TEXT)["items"]
    assert [(item["index"], item["text"], item["score"]) for item in items] == [
        (3, "same", 1.0), (1, "near", 0.707107), (2, "nothing", 0.0),
    ]  # fmt: skip
    assert SEARCH.codec.units(given) == {"row": 5}
    with pytest.raises(InputInvalid, match="no vectors"):
        SEARCH.codec.present(given, {"label": np.array(["a"])}, READS_TEXT)

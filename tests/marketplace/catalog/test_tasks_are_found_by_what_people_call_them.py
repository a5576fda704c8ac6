"""Nobody has to know what a task is called here."""

from __future__ import annotations

import pytest

from marketplace.tasks import registry
from tests.marketplace.catalog.listed import model, names

CALLED = [
    ("sentiment", "sentiment-analysis"), ("opinion mining", "sentiment-analysis"), ("情感分析", "sentiment-analysis"),
    ("object recognition", "image-classification"), ("OCR", "image-classification"), ("churn", "tabular-classification"),
    ("super-resolution", "image-enhancement"), ("upscaler", "image-enhancement"), ("translate", "translation"),
    ("RAG", "semantic-search"), ("chatbot", "chat"), ("summarization", "summarisation"), ("text-to-image", "image-generation"),
    ("recommender", "recommendation"), ("spam", "text-classification"), ("forecast", "tabular-regression"),
    ("bounding boxes", "object-detection"), ("semantic segmentation", "image-segmentation"), ("reranking", "ranking"),
    ("similarity", "embeddings"), ("reading comprehension", "question-answering"), ("autocomplete", "text-generation"),
    ("聊天", "chat"), ("机器翻译", "translation"),
]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_tasks_are_found_by_common_words() -> None:
    for task in registry.TASKS:
        model(f"of-{task}", task, title="Something", summary="")
    missed = [(words, task) for words, task in CALLED if f"of-{task}" not in names(words)]
    assert not missed


@pytest.mark.parametrize("name", registry.TASKS)
def test_every_task_says_what_else_it_is_called(name: str) -> None:
    assert registry.get(name).also

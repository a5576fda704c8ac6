"""Every task by name, loaded when first asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from marketplace.tasks.task import Task

TASKS = {
    "image-classification": "marketplace.tasks.vision.IMAGE_CLASSIFICATION",
    "image-segmentation": "marketplace.tasks.image_segmentation.IMAGE_SEGMENTATION",
    "object-detection": "marketplace.tasks.object_detection.OBJECT_DETECTION",
    "tabular-classification": "marketplace.tasks.tabular.TABULAR_CLASSIFICATION",
    "tabular-regression": "marketplace.tasks.tabular.TABULAR_REGRESSION",
    "sentiment-analysis": "marketplace.tasks.sentiment_analysis.SENTIMENT_ANALYSIS",
    "text-classification": "marketplace.tasks.text_classification.TEXT_CLASSIFICATION",
    "recommendation": "marketplace.tasks.recommendation.RECOMMENDATION",
    "ranking": "marketplace.tasks.recommendation.RANKING",
    "text-generation": "marketplace.tasks.text.TEXT_GENERATION",
    "translation": "marketplace.tasks.translation.TRANSLATION",
    "question-answering": "marketplace.tasks.question_answering.QUESTION_ANSWERING",
    "summarisation": "marketplace.tasks.summarisation.SUMMARISATION",
    "embeddings": "marketplace.tasks.embeddings.EMBEDDINGS",
    "semantic-search": "marketplace.tasks.semantic_search.SEMANTIC_SEARCH",
    "image-generation": "marketplace.tasks.image_generation.IMAGE_GENERATION",
    "image-enhancement": "marketplace.tasks.image_enhancement.IMAGE_ENHANCEMENT",
    "chat": "marketplace.tasks.chat.CHAT",
    "tensor": "marketplace.tasks.tensor.TENSOR",
}


@cache
def get(name: str) -> Task:
    """The task of this name. Raises KeyError with the names there are."""
    if name not in TASKS:
        raise KeyError(f"{name!r} is not a task: use one of {', '.join(TASKS)}")
    module, _, attribute = TASKS[name].rpartition(".")
    task = getattr(import_module(module), attribute)
    assert isinstance(task, Task)
    return task

"""Which task is judged how, or why it is not."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from inference.golden.judges import boxes, labels, numbers, rankings, writing
from inference.golden.judges.judge import Judge

JUDGES: dict[str, Judge] = {
    "text-classification": labels.TEXT,
    "sentiment-analysis": labels.TEXT,
    "image-classification": labels.IMAGE,
    "tabular-classification": labels.ROW,
    "tabular-regression": numbers.ESTIMATE,
    "object-detection": boxes.DETECTION,
    "translation": writing.TRANSLATION,
    "summarisation": writing.SUMMARY,
    "question-answering": writing.ANSWER,
    "chat": writing.CHAT,
    "text-generation": writing.GENERATION,
    "embeddings": rankings.EMBEDDING,
    "semantic-search": rankings.SEARCH,
    "recommendation": rankings.RECOMMENDATION,
    "ranking": rankings.RANKING,
}
_BY_EYE = _("What is right is a picture of which there is more than one: judge it by eye.")
UNJUDGED: dict[str, Promise | str] = {
    "image-generation": _BY_EYE,
    "image-enhancement": _BY_EYE,
    "image-segmentation": _("What is right is a mask as large as the image, which no column of a table holds."),
    "tensor": _("Only its model knows what its numbers mean."),
}

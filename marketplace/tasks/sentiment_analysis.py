"""Texts → for each whether it praises, complains or does neither, and the probability of each."""

from __future__ import annotations

from marketplace.tasks.task import Task
from marketplace.tasks.task import said as _
from marketplace.tasks.text_classification import METRICS, TextClassification

SENTIMENT_ANALYSIS = Task(
    name="sentiment-analysis",
    title=_("Sentiment analysis"),
    summary=_("Tells whether texts praise, complain, or do neither."),
    modality="language",
    codec=TextClassification(),
    widget="fields",
    metrics=METRICS,
    examples=({"text": "The food was not good, but the staff were lovely."},),
    also=(
        "sentiment",
        "opinion mining",
        "tone",
        "mood",
        "emotion",
        "polarity",
        "reviews",
        "feedback",
        "情感分析",
        "情绪",
        "舆情",
    ),
)

"""Starters that read and write."""

from __future__ import annotations

from marketplace.training.starters.starter import Starter

STARTERS = (
    Starter(
        name="prose",
        title="Prose by letters",
        summary="Continues English text letter by letter, in the voice of Python's manual. Streams.",
        task="text-generation",
        recipe="recurrent",
        dataset="pydoc",
        prices={"input_token": "0.05", "output_token": "0.20"},
        at_first=True,
        licence="Apache-2.0",
    ),
    Starter(
        name="languages",
        title="Which language",
        summary="Tells which of 27 languages a sentence is in, from Arabic to Vietnamese.",
        task="text-classification",
        recipe="lstm",
        dataset="languages",
        prices={"row": "0.00005"},
        licence="Apache-2.0",
    ),
    Starter(
        name="sentiment",
        title="Sentiment of opinions",
        summary="Tells praise, complaint and plain fact apart, also behind a “not” or a “but”.",
        task="text-classification",
        recipe="lstm",
        dataset="opinions",
        prices={"row": "0.00005"},
        licence="Apache-2.0",
        params={"words": 24, "epochs": 7, "dropout": 0.15},
        name="translator",
        title="English to German",
        summary="Translates simple English sentences into German, by attention. A demonstration with a few hundred words.",
        task="translation",
        recipe="seq2seq",
        dataset="phrasebook",
        prices={"row": "0.0002"},
        licence="Apache-2.0",
    ),
    Starter(
        name="reader",
        title="Answers from a text",
        summary="Finds who, where, when and what in short paragraphs about people. A demonstration on generated text.",
        task="question-answering",
        recipe="span",
        dataset="facts",
        prices={"row": "0.0002"},
        licence="Apache-2.0",
    ),
)

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
)

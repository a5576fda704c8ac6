"""Model cards are written by strangers."""

from __future__ import annotations

import pytest

from marketplace.catalog.cards import html_of


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>", "[x](javascript:alert(1))", '<img src=x onerror="alert(1)">', "![x](http://e.example/pixel)",
        "<style>body{display:none}</style>", '<a href="x" onclick="y">z</a>', "<iframe src='http://e.example'></iframe>",
    ],
)  # fmt: skip
def test_nothing_in_a_card_runs_or_loads(attack: str) -> None:
    html = html_of(attack).lower()
    for danger in ("<script", 'href="javascript', "<img", "<style", "<iframe", "<a onclick"):
        assert danger not in html


def test_a_card_is_markdown_with_tables() -> None:
    assert "<table>" in html_of("| a | b |\n|---|---|\n| 1 | 2 |")

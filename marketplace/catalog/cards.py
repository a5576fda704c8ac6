"""Model cards: Markdown by strangers, made safe."""

from __future__ import annotations

from functools import lru_cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


@lru_cache(maxsize=512)
def html_of(markdown: str) -> SafeString:
    """HTML without scripts, styles, forms or anything that loads from elsewhere."""
    html = _markdown.render(markdown)
    return mark_safe(nh3.clean(html, tags=nh3.ALLOWED_TAGS - {"img", "iframe"}))  # noqa: S308 – cleaned right here

"""A text's sentences, as tasks hand them to models one by one."""

from __future__ import annotations

import re

# After a mark and a space; not after an initial or a usual short form.
_END = re.compile(
    r"(?<=[.!?…])(?<!\b[A-Z]\.)(?<!\b(?:Dr|Mr|Ms|vs|cf)\.)(?<!\b(?:Mrs|etc)\.)(?<!\be\.g\.)(?<!\bi\.e\.)(\s+)|(\n\s*\n)"
)


def split(text: str) -> list[tuple[str, str]]:
    """Each sentence and the space after it; together they are the text, but for space around it."""
    parts = [part for part in _END.split(text.strip()) if part is not None]
    sentences, spaces = parts[::2], [*parts[1::2], ""]
    return [(one, space) for one, space in zip(sentences, spaces, strict=True) if one]

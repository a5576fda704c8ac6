"""The picture that is shown where a model's page is shared: 1200 by 630 pixels, as link previews want them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, EDGE = 1200, 630, 80
INK, MUTED, ACCENT, PAPER = "#16201d", "#56625d", "#0b6b57", "#fcfcfa"
# Fonts that write Chinese too, where the machine has one; Pillow's own writes Latin letters.
WIDE = (
    "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "PingFang.ttc", "msyh.ttc",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preview:
    """What is written on it."""

    title: str
    slug: str
    summary: str
    task: str
    facts: str  # price and quality


@lru_cache(maxsize=256)
def png(shown: Preview) -> bytes:
    """The picture. What no font of this machine can write is left out; without a title the model's name stands there."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    drawing = ImageDraw.Draw(picture)
    drawing.rectangle((0, 0, 24, HEIGHT), fill=ACCENT)
    title = shown.title if _writes(shown.title) else shown.slug.partition("/")[2]
    y = 70
    if _writes(shown.task):
        drawing.text((EDGE, y), shown.task, font=_font(32), fill=ACCENT)
    y += 64
    for line in _lines(drawing, title, 68, 2):
        drawing.text((EDGE, y), line, font=_font(68), fill=INK)
        y += 84
    drawing.text((EDGE, y + 4), _lines(drawing, shown.slug, 32, 1)[0], font=_font(32), fill=MUTED)
    y += 70
    if _writes(shown.summary):
        for line in _lines(drawing, shown.summary, 36, 3):
            drawing.text((EDGE, y), line, font=_font(36), fill=INK)
            y += 50
    if shown.facts and _writes(shown.facts):
        drawing.text(
            (EDGE, HEIGHT - 82),
            _lines(drawing, shown.facts, 30, 1, WIDTH - 2 * EDGE - 220)[0],
            font=_font(30),
            fill=MUTED,
        )
    drawing.text((WIDTH - EDGE, HEIGHT - 84), "Mercato", font=_font(36), fill=ACCENT, anchor="ra")
    written = BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def _lines(drawing: ImageDraw.ImageDraw, text: str, size: int, most: int, width: int = WIDTH - 2 * EDGE) -> list[str]:
    """The text in at most so many lines that fit; an ellipsis where it goes on. At least one, which may be empty."""
    font, lines, line = _font(size), [], ""
    pieces = text.split(" ")
    while pieces:
        piece = pieces.pop(0)
        longer = f"{line} {piece}" if line else piece
        if drawing.textlength(longer, font) <= width:
            line = longer
            continue
        if not line:  # one word is wider than the picture, as all of a Chinese text is
            cut = next(
                at for at in range(len(piece), 0, -1) if at == 1 or drawing.textlength(piece[:at], font) <= width
            )
            line, piece = piece[:cut], piece[cut:]
        lines.append(line)
        line = ""
        if piece:
            pieces.insert(0, piece)
        if len(lines) == most:
            return [*lines[:-1], _ended(drawing, lines[-1], font, width)] if pieces else lines
    return [*lines, line]


def _ended(drawing: ImageDraw.ImageDraw, line: str, font: Any, width: int) -> str:
    while line and drawing.textlength(f"{line}…", font) > width:
        line = line[:-1]
    return f"{line.rstrip()}…"


@cache
def _wide() -> str:
    """The name of a font of this machine that writes Chinese; blank where there is none."""
    for name in WIDE:
        try:
            ImageFont.truetype(name, 20)
        except OSError:
            continue
        return name
    return ""


@cache
def _font(size: int) -> Any:
    return ImageFont.truetype(_wide(), size) if _wide() else ImageFont.load_default(size)


def _writes(text: str) -> bool:
    """Whether the font has all of the text's signs."""
    return bool(text) and (bool(_wide()) or all(sign < "\u0250" or sign in "–—’‘“”…·€²" for sign in text))

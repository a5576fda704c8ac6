"""What is in a table: of each column its kind, what is missing, how its values are spread; which column could be learnt."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from marketplace.training.recipes.datasets.reading import Sheet, number, records

NUMBER, CATEGORY, TEXT, DATE, ID = "number", "category", "text", "date", "id"
CLASSIFICATION, REGRESSION = "tabular-classification", "tabular-regression"
MOST_CATEGORIES = 100
MOST_CLASSES = 50
FEW = 10  # whole numbers that are classes rather than amounts
BINS, SHOWN, SAMPLES = 12, 10, 8
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([T ]\d\d?:\d\d.*)?$|\d\d?[./]\d\d?[./]\d{4}$")
_ID_NAME = re.compile(r"(^|[ _-])(id|uuid|guid|key|index|row|no|nr)$", re.IGNORECASE)
_TARGET_NAME = re.compile(r"^(target|label|class|y|outcome|result|species|cultivar)$", re.IGNORECASE)


def kind_of(name: str, cells: Sequence[str]) -> str:
    """One of the kinds above, by all cells that are not blank."""
    there = [cell for cell in cells if cell]
    distinct = set(there)
    unique = len(there) >= 20 and len(distinct) == len(there)
    if all(number(cell) is not None for cell in distinct):
        whole = all(cell.lstrip("+-").isdigit() for cell in distinct)
        return ID if unique and whole and (_ID_NAME.search(name) or _counts(there)) else NUMBER
    if all(_DATE.match(cell) for cell in distinct):
        return DATE
    if unique and max(map(len, distinct)) <= 64 and not any(" " in cell for cell in distinct):
        return ID
    if len(distinct) <= MOST_CATEGORIES and (len(distinct) <= 20 or len(distinct) * 5 <= len(there)):
        return CATEGORY if max(map(len, distinct)) <= MOST_CATEGORIES else TEXT
    return TEXT


def _counts(there: Sequence[str]) -> bool:
    """Whether each number is the one before plus one."""
    first = int(there[0])
    return all(int(cell) == first + at for at, cell in enumerate(there))


def learnt_as(kind: str) -> str:
    """The role that a column of this kind has where none is chosen; blank where it is left out."""
    return kind if kind in (NUMBER, CATEGORY, DATE) else ""


def roles_of(kind: str, cells: Sequence[str]) -> list[str]:
    """What a column may be used as."""
    distinct = {cell for cell in cells if cell}
    numeric = kind == NUMBER or (kind == ID and all(number(cell) is not None for cell in distinct))
    return [
        *([NUMBER] if numeric and distinct else []),
        *([CATEGORY] if 1 < len(distinct) <= MOST_CATEGORIES else []),
        *([TEXT] if not numeric and distinct else []),
        *([DATE] if kind == DATE and distinct else []),
    ]


def task_of(kind: str, cells: Sequence[str]) -> str:
    """What learning this column is: a task's name, blank where it cannot be learnt."""
    distinct = {cell for cell in cells if cell}
    if kind == NUMBER:
        whole = all(float(cell).is_integer() for cell in distinct)
        return (CLASSIFICATION if len(distinct) <= FEW and whole else REGRESSION) if len(distinct) > 1 else ""
    return CLASSIFICATION if kind == CATEGORY and 2 <= len(distinct) <= MOST_CLASSES else ""


def profile(sheet: Sheet) -> dict[str, Any]:
    """The profile as JSON: rows, duplicates, a few rows, the column to learn, and each column."""
    columns = [_column(name, cells) for name, cells in zip(sheet.names, sheet.columns, strict=True)]
    learnable = [column["name"] for column in columns if column["task"]]
    named = [name for name in learnable if _TARGET_NAME.match(name)]
    step = max(sheet.rows // SAMPLES, 1)
    return {
        "rows": sheet.rows,
        "written": sheet.written,
        "duplicates": sheet.rows - len(set(zip(*sheet.columns, strict=True))),
        "target": (named or learnable[-1:] or [""])[0],
        "columns": columns,
        "sample": [
            [cell[:80] for cell in row.values()]
            for row in records(sheet, range(0, min(step * SAMPLES, sheet.rows), step))
        ],
    }


def _column(name: str, cells: Sequence[str]) -> dict[str, Any]:
    kind = kind_of(name, cells)
    counts = Counter(cell for cell in cells if cell)
    found: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "missing": len(cells) - counts.total(),
        "distinct": len(counts),
        "task": task_of(kind, cells),
        "roles": roles_of(kind, cells),
        "bars": [],
    }
    if kind == NUMBER and counts:
        values = [float(cell) for cell in counts.elements()]
        found |= {"least": min(values), "middle": median(values), "most": max(values), "bars": bins(values)}
    elif kind == DATE and counts:
        found |= {"first": min(counts), "last": max(counts)}
    if kind == CATEGORY or (found["task"] == CLASSIFICATION):
        common = counts.most_common(SHOWN)
        rest = counts.total() - sum(count for _, count in common)
        found["classes"] = [[label[:60], count] for label, count in common] + ([["…", rest]] if rest else [])
    return found


def bins(values: Sequence[float]) -> list[list[float]]:
    """[from, to, how many] of equally wide parts."""
    low, high = min(values), max(values)
    if low == high:
        return [[low, high, len(values)]]
    width = (high - low) / BINS
    counts = Counter(min(int((value - low) / width), BINS - 1) for value in values)
    return [[low + width * at, low + width * (at + 1), counts[at]] for at in range(BINS)]

"""Every answer of a run as a CSV file, for who wants to judge in another way."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from inference.golden import presenting
from inference.golden.judges.registry import JUDGES
from inference.golden.models import GoldenAnswer, GoldenRun
from inference.golden.scoring import OK

AT_ONCE = 100  # examples
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins so


def answers(run: GoldenRun) -> Iterator[str]:
    """The lines: an example with its number, what it is, what is right, and of each model what it said, and how right that is."""
    judge, slices = JUDGES[run.golden_set.task], run.golden_set.slices
    head = ["number", "input", "expected", *(f"slice:{name}" for name in slices)]
    for model in run.versions:
        head += [f"{model} said", f"{model} score", f"{model} error", f"{model} ms"]
    yield _line(head)
    for start in range(0, run.golden_set.size, AT_ONCE):
        numbers = range(start + 1, start + AT_ONCE + 1)
        found: dict[tuple[int, int], GoldenAnswer] = {
            (one.number, one.column): one for one in run.answers.filter(number__in=numbers).exclude(status=None)
        }
        for example in run.golden_set.examples.filter(number__in=numbers).order_by("number"):
            cells = [str(example.number), presenting.asked(example.input), presenting.said(example.expected)]
            cells += [example.slices.get(name, "") for name in slices]
            for column in range(len(run.versions)):
                answer = found.get((example.number, column))
                if answer is None:
                    cells += ["", "", "", ""]
                elif answer.status != OK:
                    cells += ["", "", str(answer.said), ""]
                else:
                    score = f"{judge.good(example.expected, answer.said):.4g}"
                    cells += [presenting.said(answer.said), score, "", str(answer.latency_ms)]
            yield _line(cells)


def _line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(  # RFC 4180
        [f"'{cell}" if cell.startswith(_FORMULA) and not _is_number(cell) else cell for cell in cells]
    )
    return line.getvalue()


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True

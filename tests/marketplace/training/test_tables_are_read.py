"""Uploaded tables: good ones are profiled, bad ones are refused with the line and the column."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from marketplace.training import refusals
from marketplace.training.recipes.datasets import reading
from marketplace.training.recipes.datasets.profile import profile
from marketplace.training.recipes.datasets.reading import Unreadable, read
from marketplace.training.samples import sample
from tests.house.tree import ROOT

GOOD = "id,age,city,joined,note,churn\n" + "".join(
    f'{i},{"" if i % 10 == 0 else 20 + i % 7},{("Rome", "Oslo")[i % 2]},2024-01-{i % 28 + 1:02},"said, ""{i} a"" b",{i % 2}\n'
    for i in range(40)
)


def table(folder: Path, text: str | bytes, form: str = "csv") -> Path:
    path = folder / f"table.{form}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def kinds(path: Path, form: str = "csv") -> dict[str, str]:
    return {column["name"]: column["kind"] for column in profile(read(path, form))["columns"]}


def test_a_table_is_profiled_column_by_column(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD)
    found = profile(read(path, "csv"))
    assert kinds(path) == {
        "id": "id", "age": "number", "city": "category", "joined": "date", "note": "text", "churn": "number"
    }  # fmt: skip
    age = found["columns"][1]
    assert (age["missing"], age["least"], age["most"], age["task"]) == (4, 20, 26, "tabular-classification")
    assert sum(count for *_, count in age["bars"]) == 36
    assert (found["rows"], found["duplicates"], found["target"]) == (40, 0, "churn")
    assert found["sample"][0][0] == "0"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_usual_delimiter_encoding_and_line_end_is_understood(tmp_path: Path, delimiter: str) -> None:
    lines = ["größe{0}b", *(f"{i}{{0}}x{i % 3}" for i in range(12))]
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        for end in ("\n", "\r\n"):
            text = (end.join(lines) + end).format(delimiter)
            sheet = read(table(tmp_path, text.encode(encoding)), "csv")
            assert sheet.names == ("größe", "b")
            assert sheet.columns[1][:4] == ["x0", "x1", "x2", "x0"]


def test_a_decimal_comma_is_a_point_where_semicolons_part_cells(tmp_path: Path) -> None:
    text = "a;b\n" + "".join(f"{i},5;x{i}\n" for i in range(10))
    assert read(table(tmp_path, text), "csv").columns[0][:2] == ["0.5", "1.5"]


def test_a_formula_is_data(tmp_path: Path) -> None:
    text = "a,b\n" + '"=HYPERLINK(""http://x"")",1\n' * 12
    assert read(table(tmp_path, text), "csv").columns[0][0] == '=HYPERLINK("http://x")'


ROWS = "a,b\n" + "1,2\n" * 12
HOSTILE: dict[str, tuple[str, str | bytes, dict[str, Any]]] = {
    "a short row": ("row_short", ROWS + "7\n" + ROWS[4:], {"line": 14, "found": 1, "wanted": 2, "name": "b"}),
    "a long row": ("row_long", ROWS + "1,2,3\n" + ROWS[4:], {"line": 14, "found": 3, "wanted": 2, "column": 3}),
    "Latin-1": ("encoding", b"a,b\n1,2\n3,\xe4\n", {"line": 3, "column": 3}),
    "a picture": ("encoding", b"\x89PNG\r\n\x1a\n" + bytes(99), {"line": 1, "column": 1}),
    "a zero byte": ("zero_byte", "a,b\n1,\0\n", {"line": 2}),
    "an open quote": ("quotes", ROWS + '"3,4\n5,6\n', {"line": 14}),
    "an open quote far from the end": ("cell_long", ROWS + '"3,4\n' + "5,6\n" * 9_000, {"line": 14, "most": 10_000}),
    "no header": ("no_header", "1,2\n3,4\n", {"line": 1}),
    "one column": ("one_column", "a\n" + "1\n" * 12, {}),
    "a name twice": ("name_twice", "a,b,a\n", {"line": 1, "column": 3, "name": "a"}),
    "no name": ("name_missing", "a,,b\n", {"line": 1, "column": 2}),
    "a long name": ("name_odd", f"a,{'b' * 61}\n", {"line": 1, "column": 2, "most": 60}),
    "many columns": ("columns", ",".join(f"c{i}" for i in range(301)) + "\n" + ",".join("1" * 301) + "\n", {"most": 300}),
    "many rows": ("rows", "a,b\n" + "1,2\n" * 200_001, {"most": 200_000}),
    "few rows": ("few_rows", "a,b\n1,2\n", {"found": 1, "least": 10}),
    "nothing": ("one_column", "", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, name: str) -> None:
    reason, text, values = HOSTILE[name]
    with pytest.raises(Unreadable) as refused:
        read(table(tmp_path, text), "csv")
    assert (refused.value.reason, refused.value.values) == (reason, values)


@pytest.mark.parametrize(
    ("line", "reason", "values"),
    [
        ('{"a": 1, "b": [1]}', "nested", {"line": 2, "name": "b"}),
        ('{"a": 1,}', "no_json", {"line": 2, "column": 9}),
        ("[" * 100_000, "no_json", {"line": 2, "column": 1}),
        ("7" * 5_000, "no_json", {"line": 2, "column": 1}),
        ("[1]", "no_object", {"line": 2}),
        ('{"a": "' + "x" * 10_001 + '"}', "text_long", {"line": 2, "name": "a", "most": 10_000}),
    ],
    ids=["nested", "comma", "deep", "digits", "list", "long"],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str, reason: str, values: dict[str, Any]) -> None:
    with pytest.raises(Unreadable) as refused:
        read(table(tmp_path, f'{{"a": 1}}\n{line}\n', "jsonl"), "jsonl")
    assert (refused.value.reason, refused.value.values) == (reason, values)


def test_json_lines_may_leave_fields_out_and_have_any_scalar(tmp_path: Path) -> None:
    rows = [{"n": i, "ok": i % 2 == 0} if i % 3 else {"n": i / 2, "word": "x"} for i in range(12)]
    sheet = read(table(tmp_path, "\n".join(map(json.dumps, rows)), "jsonl"), "jsonl")
    assert sheet.names == ("n", "word", "ok")
    assert [column[1] for column in sheet.columns] == ["1", "", "false"]


def test_parquet_is_read_and_what_is_no_flat_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    flat = pyarrow.table({"n": [1, None] * 6, "word": ["x", "y"] * 6, "yes": [True, None] * 6})
    pyarrow.parquet.write_table(flat, path)
    assert [column[:2] for column in read(path, "parquet").columns] == [["1", ""], ["x", "y"], ["true", ""]]
    pyarrow.parquet.write_table(pyarrow.table({"n": [[1]] * 12}), path)
    with pytest.raises(Unreadable) as refused:
        read(path, "parquet")
    assert refused.value.reason == "type"
    with pytest.raises(Unreadable, match="no_parquet"):
        read(table(tmp_path, b"PAR1" + bytes(200) + b"PAR1", "parquet"), "parquet")


def test_a_small_parquet_file_that_unpacks_to_a_large_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    bomb = pyarrow.table({"n": pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 150_000), ["x" * 1_000_000])})
    pyarrow.parquet.write_table(bomb, path)
    assert path.stat().st_size < 2_000_000
    with pytest.raises(Unreadable, match="row_text_long"):
        read(path, "parquet")


@pytest.mark.parametrize("name", ["wine", "iris"])
def test_a_sample_has_a_class_for_every_row(tmp_path: Path, name: str) -> None:
    found = profile(read(table(tmp_path, sample(name)), "csv"))
    assert found["rows"] in (150, 178)
    assert found["target"] == found["columns"][-1]["name"]
    assert len(found["columns"][-1]["classes"]) == 3


def test_the_sample_of_texts_is_read_from_its_texts(tmp_path: Path) -> None:
    found = profile(read(table(tmp_path, sample("languages")), "csv"))
    assert (found["rows"], found["target"]) == (960, "language")
    assert [(column["kind"], column["task"]) for column in found["columns"]] == [
        ("text", ""),
        ("category", "tabular-classification"),
    ]


def test_the_examiner_prints_what_it_found(tmp_path: Path) -> None:
    def examined(text: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "marketplace.training.examiner", str(table(tmp_path, text)), "csv"]
        return dict(json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout))

    assert examined(GOOD)["profile"]["rows"] == 40
    assert examined("a\n")["refused"] == {"reason": "one_column", "values": {}}


def test_every_reason_has_a_sentence_with_its_places() -> None:
    source = Path(reading.__file__).read_text()
    named = set(re.findall(r'Unreadable\(\s*"(\w+)"', source))
    assert named | {"broken"} <= set(refusals.REASONS)
    for reason, _, values in HOSTILE.values():
        assert refusals.sentence(reason, values)

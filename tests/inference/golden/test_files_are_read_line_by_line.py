"""What is wrong with a file is told with its line and what to change; nothing of it is kept."""

from __future__ import annotations

import json

import pytest
from django.conf import LazySettings

from inference.golden import files
from inference.golden.files import GoldenSetInvalid, Read


def refused(task: str, name: str, content: str | bytes) -> list[tuple[int, str]]:
    with pytest.raises(GoldenSetInvalid) as error:
        files.of_file(task, name, content if isinstance(content, bytes) else content.encode())
    told = error.value.details.get("errors", [])
    return [(one["line"], one["message"]) for one in told] or [(0, error.value.message)]  # type: ignore[attr-defined]


def test_a_table_of_texts_with_slices() -> None:
    content = 'text,expected,slice:language\n"Hello, you",en,latin\nHallo,de,latin\n\n'
    found = files.of_file("text-classification", "a.csv", content.encode())
    assert found == [
        Read({"text": "Hello, you"}, "en", {"language": "latin"}),
        Read({"text": "Hallo"}, "de", {"language": "latin"}),
    ]


def test_a_bare_input_is_the_first_field_and_a_question_may_have_several_answers() -> None:
    assert files.of_file("chat", "a.csv", b"input,expected\nSay hi,hi\n") == [
        Read({"messages": [{"role": "user", "content": "Say hi"}], "max_tokens": 256}, ["hi"], {})
    ]
    line = {"input": {"question": "Who?", "context": "Ada did."}, "expected": ["Ada", "Ada did"]}
    assert files.of_file("question-answering", "a.jsonl", json.dumps(line).encode())[0].expected == ["Ada", "Ada did"]
    cells = 'question,context,expected\nWho?,Ada did.,"[""Ada"", ""Ada did""]"\n'
    assert files.of_file("question-answering", "a.csv", cells.encode())[0].expected == ["Ada", "Ada did"]


def test_rows_of_a_table_keep_their_columns_and_leave_out_empty_cells() -> None:
    found = files.of_file("tabular-classification", "a.csv", b"age,city,expected\n41,Rome,yes\n,Oslo,no\n")
    assert [one.input for one in found] == [{"features": {"age": "41", "city": "Rome"}}, {"features": {"city": "Oslo"}}]


def test_each_mistake_has_its_line() -> None:
    lines = ['{"input": "a", "expected": "x"}', "{broken", '{"input": "b"}', '{"input": "", "expected": "x"}',
             '{"input": "c", "expected": ""}', '{"input": "d", "expected": "x", "slice": 1}']  # fmt: skip
    told = refused("text-classification", "a.jsonl", "\n".join(lines))
    assert [line for line, _ in told] == [2, 3, 4, 5, 6]
    assert "JSON" in told[0][1]
    assert "expected" in told[1][1]
    assert told[2][1].startswith("text: ")
    assert "empty" in told[3][1]
    assert "slice" in told[4][1]


def test_columns_are_looked_at_first() -> None:
    assert "expected" in refused("translation", "a.csv", "text,right\na,b\n")[0][1]
    assert "“tone”" in refused("translation", "a.csv", "text,expected,tone\na,b,c\n")[0][1]
    assert refused("translation", "a.csv", "text,expected\na,b,c\n")[0][0] == 2
    assert refused("translation", "a.csv", 'text,expected\n"a"b,c\n')[0][0] == 2


def test_no_text_with_a_nul_comes_in_however_it_is_written() -> None:
    for name, content in (
        ("a.csv", b"text,expected\na\0b,x\n"), ("a.jsonl", b'{"input": "a\\u0000b", "expected": "x"}'),
        ("a.csv", b'text,expected\na,x\n"{""text"": ""\\u0000""}",x\n'),
    ):  # fmt: skip
        if b"{" in content and name == "a.csv":
            content = content.replace(b"text,", b"input,", 1)
        assert "U+0000" in refused("text-classification", name, content)[0][1]


def test_what_is_no_text_no_table_or_too_much_is_refused(settings: LazySettings) -> None:
    assert refused("translation", "a.csv", b"text,expected\nok,ok\n\xff,b\n")[0][0] == 3
    assert "csv" in refused("translation", "a.xlsx", "a")[0][1]
    assert "no examples" in refused("translation", "a.jsonl", "\n\n")[0][1]
    settings.GOLDEN_MAX_EXAMPLES = 2
    assert refused("translation", "a.csv", "text,expected\n" + "a,b\n" * 3)[0][0] == 4
    settings.GOLDEN_MAX_BYTES = 1024**2
    with pytest.raises(GoldenSetInvalid) as error:
        files.of_file("translation", "a.csv", b"x" * (1024**2 + 1))
    assert error.value.status == 413


def test_numbers_and_boxes_are_checked_too() -> None:
    assert "number" in refused("tabular-regression", "a.csv", "x,expected\n1,many\n")[0][1]
    wrong = json.dumps({"input": {"image": "data:image/png;base64,aaaa"}, "expected": [{"label": "cat"}]})
    assert "x" in refused("object-detection", "a.jsonl", wrong)[0][1]

"""Files of examples as fine-tuning interfaces take them, made into tables: what is given, and what is expected of it."""

from __future__ import annotations

import json
from typing import Any

from marketplace.errors import DatasetInvalid

INPUT, EXPECTED = "input", "expected"  # columns


def flat(data: bytes) -> bytes | None:
    """The same as a table in JSON lines, the answers in the column EXPECTED; None where the lines are rows of a table already.

    A line is {"input": a text or an object of cells, "expected": a text, number or boolean}, or {"messages": [...]} whose
    last message is the assistant's answer. Raises DatasetInvalid that names the line.
    """
    lines = [(at, line) for at, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    if not lines:
        return None
    first = _read(*lines[0])
    if "messages" in first:
        row = _of_messages
    elif isinstance(first.get(INPUT), dict) or first.keys() == {INPUT, EXPECTED}:
        row = _of_pair
    else:
        return None
    rows = (row(_read(at, line), at) for at, line in lines)
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in rows)


def _read(at: int, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _wrong(at, "this is no JSON") from error
    if not isinstance(found, dict):
        raise _wrong(at, "write one JSON object a line")
    return found


def _of_pair(given: dict[str, Any], at: int) -> dict[str, Any]:
    if given.keys() != {INPUT, EXPECTED}:
        raise _wrong(at, "write input and expected, and nothing else")
    cells = given[INPUT] if isinstance(given[INPUT], dict) else {INPUT: given[INPUT]}
    if EXPECTED in cells:
        raise _wrong(at, "a cell of the input must not be named expected")
    return {**cells, EXPECTED: given[EXPECTED]}


def _of_messages(given: dict[str, Any], at: int) -> dict[str, Any]:
    messages = given.get("messages")
    other = next((name for name in given if name != "messages"), None)
    if other is not None:
        raise _wrong(at, f"{other[:60]} is not carried here: leave it out")
    if not isinstance(messages, list) or len(messages) < 2 or not all(isinstance(one, dict) for one in messages):
        raise _wrong(at, "messages are two objects at least: what is asked, and the assistant's answer")
    for one in messages:
        if one.keys() != {"role", "content"} or not isinstance(one["content"], str):
            raise _wrong(at, "a message has a role and a content, which is a text")
    if [one["role"] == "assistant" for one in messages] != [False] * (len(messages) - 1) + [True]:
        raise _wrong(at, "the last message, and no other, is the assistant's")
    return {INPUT: "\n".join(one["content"] for one in messages[:-1]), EXPECTED: messages[-1]["content"]}


def _wrong(at: int, why: str) -> DatasetInvalid:
    return DatasetInvalid(f"Line {at} of the training file: {why}.", param="/training_file")

"""What the stand-in takes, Stripe's pinned version takes: each route's parameters are looked up in the SDK's types."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import stripe

from billing.sandbox.routes import TABLE

SDK = Path(str(stripe.__file__)).parent
Fields = dict[str, str]


def shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{id}", path)


@cache
def requests() -> dict[tuple[str, str], tuple[Path, str]]:
    """(verb, path) → the file and the name of the SDK's type of its parameters."""
    found = {}
    for file in SDK.rglob("*_service.py"):
        tree = ast.parse(file.read_text())
        modules = {
            alias.name: SDK.parent / Path(*str(node.module).split(".")).with_suffix(".py")
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for act in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            name = re.search(r"\w+Params", ast.unparse(act.args))
            for call in (node for node in ast.walk(act) if isinstance(node, ast.Call)):
                if ast.unparse(call.func) == "self._request" and name and name[0] in modules:
                    text = re.search(r"'(/v[12]/[^']*)'", ast.unparse(call.args[1]))
                    assert text
                    verb = ast.literal_eval(call.args[0])
                    found[str(verb).upper(), shape(text[1])] = (modules[name[0]], name[0])
    return found


@cache
def types_in(file: Path) -> dict[str, Fields]:
    tree = ast.parse(file.read_text())
    return {
        node.name: {
            one.target.id: ast.unparse(one.annotation)
            for one in node.body
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
        }
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def known(file: Path, type: str, name: str) -> bool:
    """Is `a.b` a parameter of the type?"""
    classes = types_in(file)
    fields, (first, _, rest) = classes[type], name.partition(".")
    if first not in fields:
        return False
    below = re.search(r"\w+Params\w+", fields[first])
    return not rest or (bool(below) and known(file, below[0] if below else "", rest))


@pytest.mark.parametrize(("verb", "path", "act"), TABLE, ids=[f"{verb} {path}" for verb, path, _ in TABLE])
def test_a_route_is_stripes_and_so_are_its_parameters(verb: str, path: str, act: Any) -> None:
    told = requests().get((verb, path)) or requests().get((verb, path.replace("{id}/{id}", "{id}")))
    if verb == "GET" and path == "/v1/account":
        return  # read by the SDK's own method, without parameters
    assert told, "Stripe has no such route"
    file, type = told
    names = (*getattr(act, "known", ()), *getattr(act, "required", ()))
    assert [name for name in names if not known(file, type, name)] == []
    needed = {name for name, text in types_in(file)[type].items() if "NotRequired" not in text}
    assert needed <= {name.partition(".")[0] for name in names} or not names

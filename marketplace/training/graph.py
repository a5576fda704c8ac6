"""What a SavedModel would compute, read from its file. Nothing of it is loaded or run; reading imports TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketplace.errors import SourceInvalid

MOST_BYTES = 128 << 20  # of saved_model.pb: what is larger keeps its weights in the wrong place
FILE = "saved_model.pb"
_STRING = 7  # tensorflow's DT_STRING


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. An input is `node:output`, or `^node` for order alone; inside a function also an argument's name."""

    name: str
    op: str
    inputs: tuple[str, ...]
    calls: tuple[str, ...]  # functions
    is_text: bool  # a variable or constant of strings
    shared: str  # a variable's name in the whole process


@dataclass(frozen=True, slots=True)
class Function:
    """Operations with arguments, called by name."""

    arguments: tuple[str, ...]
    nodes: Mapping[str, Node]


@dataclass(frozen=True, slots=True)
class Graph:
    """One of a SavedModel's graphs, and what its loader does with it."""

    nodes: Mapping[str, Node]
    functions: Mapping[str, Function]
    savers: tuple[str, ...]  # the nodes by which variables are saved and restored
    prefix: str  # the node that is given the files' name for that
    assets: Mapping[str, str]  # node → file in assets/, as its publisher wrote it
    entries: tuple[str, ...]  # the nodes that a signature gives out or a loader runs


def source(one: str) -> str:
    """The node or argument that an input comes from."""
    return one.removeprefix("^").partition(":")[0]


def graphs(folder: Path) -> list[Graph]:
    """The graphs of the SavedModel. Raises SourceInvalid for a file that is too large, or none."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    size = (folder / FILE).stat().st_size
    if size > MOST_BYTES:
        raise SourceInvalid(
            f"{FILE} has {size >> 20} MiB, more than {MOST_BYTES >> 20}: export weights as variables, not as constants.",
            param="source",
        )
    found = SavedModel()
    try:
        found.ParseFromString((folder / FILE).read_bytes())
        read = [_graph(meta) for meta in found.meta_graphs]
    except DecodeError as error:
        raise SourceInvalid(f"{FILE} is cut off or no SavedModel: export the model again.", param="source") from error
    if not read:
        raise SourceInvalid(f"{FILE} holds no graph: export the model again.", param="source")
    return read


def _graph(meta: Any) -> Graph:
    saver, library = meta.saver_def, meta.graph_def.library.function
    if len({one.signature.name for one in library}) != len(library):
        raise _twice("function")
    entries = [tensor.name for one in meta.signature_def.values() for tensor in one.outputs.values()]
    for name, collected in meta.collection_def.items():
        if name in ("saved_model_main_op", "legacy_init_op"):
            entries += collected.node_list.value
    return Graph(
        nodes=_nodes(meta.graph_def.node),
        functions={
            one.signature.name: Function(tuple(arg.name for arg in one.signature.input_arg), _nodes(one.node_def))
            for one in library
        },
        savers=tuple(source(name) for name in (saver.save_tensor_name, saver.restore_op_name) if name),
        prefix=source(saver.filename_tensor_name),
        assets={source(one.tensor_info.name): one.filename for one in _assets(meta)},
        entries=tuple(source(name) for name in entries),
    )


def _assets(meta: Any) -> Iterator[Any]:
    """From both places where a loader looks; the older is a collection."""
    from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef

    yield from meta.asset_file_def
    if "saved_model_assets" in meta.collection_def:
        for packed in meta.collection_def["saved_model_assets"].any_list.value:
            one = AssetFileDef()
            packed.Unpack(one)
            yield one


def _nodes(given: Any) -> dict[str, Node]:
    found = {one.name: _node(one) for one in given}
    if len(found) != len(given):
        raise _twice("node")
    return found


def _twice(what: str) -> SourceInvalid:
    return SourceInvalid(f"{FILE} holds two {what}s of one name: export the model again.", param="source")


def _node(one: Any) -> Node:
    calls, is_text, shared = [], False, ""
    for name, value in one.attr.items():
        if value.HasField("func"):
            calls.append(value.func.name)
        calls += [function.name for function in value.list.func]
        is_text |= name == "dtype" and value.type == _STRING
        if name == "shared_name":
            shared = value.s.decode("utf-8", "replace")
    return Node(one.name, one.op, tuple(one.input), tuple(calls), is_text, shared or one.name)

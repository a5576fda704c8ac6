"""Whether a SavedModel only computes: its operations against the table, and no way around its loader to a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from marketplace.errors import SourceInvalid
from marketplace.publishing.inspection.archives import plain
from marketplace.publishing.inspection.operations import ALLOWED, FROM_FILE, SAVING
from marketplace.training.graph import FILE, Graph, Node, graphs, source

_LOOKS = frozenset({"VarIsInitializedOp", "ReadVariableOp"})  # they leave a variable as it is
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def check(folder: Path) -> None:
    """Raises SourceInvalid with the first operation, function or file that is not allowed; nothing is loaded or run."""
    for graph in graphs(folder):
        for written in graph.assets.values():
            _check_asset(folder, written)
        _check_saving(graph)
        for where, nodes in _places(graph):
            for node in nodes.values():
                _check_node(graph, where, node)


def _check_node(graph: Graph, where: str, node: Node) -> None:
    told = _told(where, node)
    if node.op in FROM_FILE:
        if not _reads_asset(graph, where, node):
            raise _refusal(
                f"{told} reads a file that is no asset of the model: export the vocabulary as an asset "
                "(tf.lookup.TextFileInitializer), or put its words into the graph (tf.lookup.KeyValueTensorInitializer)"
            )
    elif node.op not in ALLOWED and node.op not in SAVING:
        raise _refusal(
            f"{told} is not allowed: only operations that compute are, none that reach files, networks or Python. Take it "
            "out of the exported function, and let the caller send what it would read"
        )
    if where and node.op == "VarHandleOp" and node.is_text:
        raise _refusal(f"{told} keeps strings out of sight: make the variable outside of functions")


def _check_saving(graph: Graph) -> None:
    """What saves and restores variables is run by the loader alone, on the files that the loader names."""
    run = _reached(graph, graph.entries)
    keepers = {name for name, function in graph.functions.items() if _saves(function.nodes)}
    for where, nodes in _places(graph):
        for node in nodes.values():
            saves, calls = node.op in SAVING, not keepers.isdisjoint(node.calls)
            if not (saves or calls):
                continue
            given = _origin(nodes, node.inputs[0]) if node.inputs else ""
            named = given == (graph.functions[where].arguments[:1] or ("",))[0] if where else given == graph.prefix
            if where:
                fine = saves and not calls
            else:
                fine = node.name not in run and (saves or node.name in graph.savers)
            if not fine or not (named or (saves and node.op != "RestoreV2")):
                called = [one for name in node.calls if name in keepers for one in graph.functions[name].nodes.values()]
                ops = sorted({one.op for one in [node, *called]} & SAVING)
                raise _refusal(
                    f"{_told(where, node)} runs {', '.join(ops)} beside the model's own saver, and so reads or writes files: "
                    "export the model with tf.saved_model.save, and leave saving and restoring to it"
                )


def _saves(nodes: Mapping[str, Node]) -> bool:
    return any(node.op in SAVING for node in nodes.values())


def _origin(nodes: Mapping[str, Node], one: str) -> str:
    """The node or argument that the input is, through whatever only passes it on."""
    name = source(one)
    for _ in nodes:  # a ring has no origin
        if name not in nodes or nodes[name].op != "Identity" or not nodes[name].inputs:
            break
        name = source(nodes[name].inputs[0])
    return name


def _reads_asset(graph: Graph, where: str, node: Node) -> bool:
    """Whether the file's name, the second input, can only be an asset's."""
    if len(node.inputs) < 2:
        return False
    if not where:
        return _is_asset(graph, node.inputs[1])
    function = graph.functions[where]
    name = _origin(function.nodes, node.inputs[1])
    if name not in function.arguments:
        return False
    at = function.arguments.index(name)
    for held in graph.functions.values():
        if any(where in one.calls for one in held.nodes.values()):
            return False
    callers = [one for one in graph.nodes.values() if where in one.calls]
    return all(one.op in _CALLS and len(one.inputs) > at and _is_asset(graph, one.inputs[at]) for one in callers)


def _is_asset(graph: Graph, one: str) -> bool:
    """Whether it is what the loader gives for an asset, at once or kept in a variable that is given nothing else."""
    node = graph.nodes.get(_origin(graph.nodes, one))
    if node is None or node.op != "ReadVariableOp" or not node.inputs:
        return node is not None and _is_given(graph, node)
    variable = graph.nodes.get(source(node.inputs[0]))
    if variable is None or variable.op != "VarHandleOp":
        return False
    same = {name for name, held in graph.nodes.items() if held.op == "VarHandleOp" and held.shared == variable.shared}
    for user in graph.nodes.values():
        used = [source(given) for given in user.inputs if not given.startswith("^")]
        if same.isdisjoint(used) or user.op in _LOOKS:
            continue
        value = graph.nodes.get(_origin(graph.nodes, used[-1]))
        if user.op != "AssignVariableOp" or value is None or not _is_given(graph, value):
            return False
    return True


def _is_given(graph: Graph, node: Node) -> bool:
    return node.name in graph.assets and node.op in ("Placeholder", "Const")


def _check_asset(folder: Path, written: str) -> None:
    try:
        place = folder.joinpath("assets", *plain(written))
    except ValueError as error:
        raise _refusal(f"the asset {written[:120]!r} {error}") from None
    if not place.is_file():
        raise _refusal(f"the asset {written[:120]!r} is not in assets/")


def _reached(graph: Graph, names: Iterable[str]) -> set[str]:
    """The graph's nodes that run when these do."""
    nodes: set[str] = set()
    waiting = [graph.nodes[name] for name in names if name in graph.nodes]
    nodes.update(node.name for node in waiting)
    while waiting:
        node = waiting.pop()
        for name in {source(one) for one in node.inputs} & graph.nodes.keys() - nodes:
            nodes.add(name)
            waiting.append(graph.nodes[name])
    return nodes


def _places(graph: Graph) -> Iterator[tuple[str, Mapping[str, Node]]]:
    """The graph itself, named "", and each of its functions."""
    yield "", graph.nodes
    for name, function in graph.functions.items():
        yield name, function.nodes


def _told(where: str, node: Node) -> str:
    return f"{node.op} ({node.name!r})" + (f" in the function {where!r}" if where else "")


def _refusal(what: str) -> SourceInvalid:
    return SourceInvalid(f"{FILE}: {what}.", param="source")

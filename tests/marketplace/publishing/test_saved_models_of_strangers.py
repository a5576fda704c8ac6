"""SavedModels that strangers send only compute: nothing that reaches files, networks or Python, however well hidden."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketplace.errors import SourceInvalid
from marketplace.publishing.inspection import folders
from marketplace.publishing.inspection.operations import ALLOWED, FROM_FILE, SAVING
from tests.fixtures.hostile import export
from tests.fixtures.training import Trained


def tensorflow() -> Any:
    from inference.engines.tensorflow.library import tensorflow

    return tensorflow()


def refused(folder: Path) -> str:
    with pytest.raises(SourceInvalid) as refusal:
        folders.check(folder)
    assert refusal.value.param == "source"
    return refusal.value.message


def changed(harmless: Path, to: Path, change: Callable[[Any], None]) -> Path:
    """The harmless model with another graph."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    shutil.copytree(harmless, to)
    model = SavedModel()
    model.ParseFromString((to / "saved_model.pb").read_bytes())
    change(model.meta_graphs[0])
    (to / "saved_model.pb").write_bytes(model.SerializeToString())
    return to


def test_a_model_that_computes_is_let_in_with_its_assets(harmless: Path) -> None:
    folders.check(harmless)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "prose"])
def test_what_the_recipes_export_is_let_in(trained_starter: Callable[[str], Trained], name: str) -> None:
    folders.check(trained_starter(name).folder)


def reads(x: Any) -> Any:
    tf = tensorflow()
    return x + tf.cast(tf.strings.length(tf.io.read_file("/etc/passwd")), tf.float32)


def writes(x: Any) -> Any:
    tf = tensorflow()
    with tf.control_dependencies([tf.io.write_file("/tmp/evil", "evil")]):
        return tf.identity(x)


def python(x: Any) -> Any:
    return tensorflow().py_function(lambda x: x, [x], tensorflow().float32)


def numpy(x: Any) -> Any:
    return tensorflow().numpy_function(lambda x: x, [x], tensorflow().float32)


def lists(x: Any) -> Any:
    return x + tensorflow().cast(tensorflow().size(tensorflow().io.matching_files("/etc/*")), tensorflow().float32)


def prints(x: Any) -> Any:
    tf = tensorflow()
    with tf.control_dependencies([tf.raw_ops.PrintV2(input="evil", output_stream="file:///tmp/evil")]):
        return tf.identity(x)


def streams(x: Any) -> Any:
    tf = tensorflow()
    lines = tf.data.TextLineDataset("/etc/passwd")
    return x + tf.cast(lines.reduce(tf.constant(0, tf.int64), lambda count, _: count + 1), tf.float32)


def restores(x: Any) -> Any:
    tf = tensorflow()
    return (
        x
        + tf.raw_ops.RestoreV2(prefix="/data/others", tensor_names=["w"], shape_and_slices=[""], dtypes=[tf.float32])[0]
    )


def saves(x: Any) -> Any:
    tf = tensorflow()
    with tf.control_dependencies(
        [tf.raw_ops.SaveV2(prefix="/tmp/evil", tensor_names=["w"], shape_and_slices=[""], tensors=[x])]
    ):
        return tf.identity(x)


def calls_out(x: Any) -> Any:
    tf = tensorflow()
    there = tf.function(lambda x: x).get_concrete_function(x)
    return tf.raw_ops.RemoteCall(target="/job:evil/task:0/device:CPU:0", args=[x], Tout=[tf.float32], f=there)[0]


@pytest.mark.parametrize(
    ("answer", "op"),
    [
        (reads, "ReadFile"), (writes, "WriteFile"), (python, "EagerPyFunc"), (numpy, "PyFunc"), (lists, "MatchingFiles"),
        (prints, "PrintV2"), (streams, "Dataset"), (restores, "RestoreV2"), (saves, "SaveV2"), (calls_out, "RemoteCall"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_an_operation_that_reaches_out_is_refused_by_name(tmp_path: Path, answer: Any, op: str) -> None:
    told = refused(export(tmp_path / "evil", answer))
    assert told.startswith("saved_model.pb: ")
    assert op in told
    assert "export" in told


def test_an_operation_deep_in_nested_functions_is_found(tmp_path: Path) -> None:
    tf = tensorflow()

    @tf.function  # type: ignore[untyped-decorator] # no types
    def deepest(x: Any) -> Any:
        return reads(x)

    @tf.function  # type: ignore[untyped-decorator] # as above
    def deep(x: Any) -> Any:
        return tf.cond(
            tf.reduce_sum(x) > 1e9, lambda: tf.while_loop(lambda _: False, lambda x: [deepest(x)], [x])[0], lambda: x
        )

    told = refused(export(tmp_path / "evil", deep))
    assert "ReadFile" in told
    assert "in the function '" in told


def test_an_operation_in_a_function_that_nobody_calls_is_found(harmless: Path, tmp_path: Path) -> None:
    def change(meta: Any) -> None:
        function = meta.graph_def.library.function.add()
        function.signature.name = "waits"
        function.node_def.add(name="evil", op="ReadFile")

    assert "ReadFile ('evil') in the function 'waits'" in refused(changed(harmless, tmp_path / "evil", change))


def test_an_operation_that_runs_when_the_model_is_loaded_is_found(harmless: Path, tmp_path: Path) -> None:
    def change(meta: Any) -> None:
        meta.graph_def.node.add(name="evil", op="WriteFile")
        meta.collection_def["saved_model_main_op"].node_list.value.append("evil")

    assert "WriteFile ('evil')" in refused(changed(harmless, tmp_path / "evil", change))


def test_an_operation_that_tensorflow_does_not_have_is_refused(harmless: Path, tmp_path: Path) -> None:
    def change(meta: Any) -> None:
        meta.graph_def.node.add(name="evil", op="CustomOpOfMine")

    assert "CustomOpOfMine" in refused(changed(harmless, tmp_path / "evil", change))


def test_two_nodes_or_functions_of_one_name_hide_nothing(harmless: Path, tmp_path: Path) -> None:
    def nodes(meta: Any) -> None:
        meta.graph_def.node.insert(0, type(meta.graph_def.node[0])(name="Const", op="ReadFile"))

    def functions(meta: Any) -> None:
        library = meta.graph_def.library.function
        library.append(library[0])

    assert "two nodes" in refused(changed(harmless, tmp_path / "nodes", nodes))
    assert "two functions" in refused(changed(harmless, tmp_path / "functions", functions))


def test_the_saver_is_no_way_to_other_files(harmless: Path, tmp_path: Path) -> None:
    def elsewhere(meta: Any) -> None:
        """It restores from a place of its own."""
        meta.graph_def.node.add(name="others", op="Const")
        restore = next(node for node in meta.graph_def.node if node.name == meta.saver_def.restore_op_name)
        restore.input[0] = "others"

    def inside(meta: Any) -> None:
        """Its function does."""
        function = next(one for one in meta.graph_def.library.function if "restore" in one.signature.name)
        function.node_def.add(name="others", op="Const")
        next(node for node in function.node_def if node.op == "RestoreV2").input[0] = "others:output:0"

    def answered(meta: Any) -> None:
        """Its function answers callers."""
        outputs = next(iter(meta.signature_def["serving_default"].outputs.values()))
        outputs.name = meta.saver_def.save_tensor_name

    def called(meta: Any) -> None:
        """Its function is called by another node."""
        save = next(
            node for node in meta.graph_def.node if node.name == meta.saver_def.save_tensor_name.partition(":")[0]
        )
        more = meta.graph_def.node.add()
        more.CopyFrom(save)
        more.name = "evil"

    for change in (elsewhere, inside, answered, called):
        assert "beside the model's own saver" in refused(changed(harmless, tmp_path / change.__name__, change))


def test_a_vocabulary_is_read_from_the_models_assets_alone(harmless: Path, tmp_path: Path) -> None:
    def named(meta: Any) -> None:
        """The graph names the file."""
        meta.graph_def.node.add(name="evil", op="Const")
        next(node for node in meta.graph_def.node if node.op == "AssignVariableOp").input[1] = "evil"

    def asked(meta: Any) -> None:
        """The caller does."""
        for function in meta.graph_def.library.function:
            for node in function.node_def:
                if node.op == "InitializeTableFromTextFileV2":
                    function.node_def.add(name="evil", op="StringJoin")
                    node.input[1] = "evil:output:0"
                    return

    def restored(meta: Any) -> None:
        """The weights do."""
        restore = next(node for node in meta.graph_def.node if node.name == meta.saver_def.restore_op_name)
        restore.input.append(next(node for node in meta.graph_def.node if node.op == "AssignVariableOp").input[0])

    for change in (named, asked, restored):
        assert "no asset of the model" in refused(changed(harmless, tmp_path / change.__name__, change))


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "not-there.txt"])
def test_an_asset_lies_in_assets(harmless: Path, tmp_path: Path, name: str) -> None:
    def change(meta: Any) -> None:
        meta.asset_file_def[0].filename = name

    assert f"the asset {name!r}" in refused(changed(harmless, tmp_path / "evil", change))


def test_a_graph_that_is_cut_off_too_large_or_empty_is_refused(
    harmless: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(harmless, tmp_path / "cut")
    graph = tmp_path / "cut" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-100])
    assert "cut off" in refused(tmp_path / "cut")
    graph.write_bytes(b"")
    assert "holds no graph" in refused(tmp_path / "cut")
    with graph.open("wb") as file:
        file.truncate(129 << 20)
    assert "more than 128" in refused(tmp_path / "cut")


def test_a_ring_of_nodes_ends(harmless: Path, tmp_path: Path) -> None:
    def change(meta: Any) -> None:
        meta.graph_def.node.add(name="one", op="Identity", input=["two"])
        meta.graph_def.node.add(name="two", op="Identity", input=["one"])
        next(node for node in meta.graph_def.node if node.op == "AssignVariableOp").input[1] = "one"

    assert "no asset" in refused(changed(harmless, tmp_path / "ring", change))


@pytest.mark.parametrize("name", ["saved_model.cpb", "saved_model.pbtxt", "variables/evil.so", "evil.py", "model.pkl"])
def test_files_beside_the_graph_are_refused(harmless: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(harmless, tmp_path / "evil")
    (tmp_path / "evil" / name).write_bytes(b"evil")
    assert refused(tmp_path / "evil").startswith(name)


def test_every_operation_of_the_table_is_tensorflows_and_names_no_place() -> None:
    tensorflow()
    from tensorflow.python.framework import op_def_registry

    for name in ALLOWED:
        found = op_def_registry.get(name)
        assert found is not None, f"TensorFlow has no {name}"
        told = {one.name for one in (*found.attr, *found.input_arg)}
        named = {one for one in told for word in ("file", "dir", "address", "url") if word in one.lower()}
        assert not named - {"unidirectional"}, f"{name} is told of a place: {named}"
    assert not ALLOWED & (SAVING | FROM_FILE | {"ReadFile", "WriteFile", "PyFunc", "EagerPyFunc", "ImmutableConst"})

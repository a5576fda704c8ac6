"""Keras files, KerasHub's and Hugging Face's folders that strangers send: no code, no pickles, nothing that lies elsewhere."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from marketplace.errors import SourceInvalid
from marketplace.publishing.inspection import folders
from tests.fixtures.hostile import SECRET


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/evil",)


def keras() -> Any:
    from inference.engines.tensorflow.library import keras

    return keras()


def refused(folder: Path) -> str:
    with pytest.raises(SourceInvalid) as refusal:
        folders.check(folder)
    assert refusal.value.param == "source"
    return refusal.value.message


def changed(keras_file: Path, to: Path, change: Callable[[dict[str, Any]], None], **members: bytes) -> Path:
    """The harmless file with other members: its configuration changed, the rest replaced or added."""
    to.mkdir()
    with (
        zipfile.ZipFile(keras_file / "model.keras") as read,
        zipfile.ZipFile(to / "model.keras", "w", zipfile.ZIP_DEFLATED) as written,
    ):
        held = {name: read.read(name) for name in read.namelist()}
        config = json.loads(held["config.json"])
        change(config)
        for name, data in {**held, "config.json": json.dumps(config).encode(), **members}.items():
            written.writestr(name, data)
    return to


def layer(class_name: str, module: str | None = "keras.layers", **config: Any) -> Callable[[dict[str, Any]], None]:
    """Puts this layer into the configuration's second place."""

    def change(whole: dict[str, Any]) -> None:
        whole["config"]["layers"][1] |= {"class_name": class_name, "module": module, "registered_name": class_name}
        whole["config"]["layers"][1]["config"] |= config

    return change


def test_a_network_of_keras_own_layers_is_let_in(keras_file: Path) -> None:
    folders.check(keras_file)


def test_a_lambda_is_refused(tmp_path: Path) -> None:
    k = keras()
    (tmp_path / "evil").mkdir()
    k.Sequential([k.Input([3]), k.layers.Lambda(lambda x: x * 2)]).save(tmp_path / "evil" / "model.keras")
    told = refused(tmp_path / "evil")
    assert "model.keras/config.json holds a Lambda, which runs code" in told
    assert "Keras' own layers" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (layer("TFSMLayer", filepath="/tmp/evil"), "holds a TFSMLayer"),
        (layer("system", "os"), "names os.system, which is not Keras' own"),
        (layer("function", "keras.utils", config="get_file"), "names keras.utils.function"),
        (layer("function", None, config="get_file"), "names None.function"),
        (layer("Evil", "evil_package.layers"), "names evil_package.layers.Evil"),
        (layer("StringLookup", vocabulary="/etc/passwd"), "reads vocabulary from '/etc/passwd'"),
        (layer("TextVectorization", vocabulary="http://evil.example/"), "reads vocabulary from"),
        (layer("Dense", kernel_initializer={"class_name": "Popen", "module": "subprocess"}), "names subprocess.Popen"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_configuration_that_names_code_or_files_is_refused(
    keras_file: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    assert told in refused(changed(keras_file, tmp_path / "evil", change))


@pytest.mark.parametrize("name", ["../evil.txt", "evil.py", "model.weights.npz", "assets/evil.pkl", "__init__.py"])
def test_a_member_that_does_not_belong_there_is_refused(keras_file: Path, tmp_path: Path, name: str) -> None:
    assert name in refused(changed(keras_file, tmp_path / "evil", lambda _: None, **{name: b"evil"}))


def test_a_keras_file_that_is_cut_off_or_a_bomb_is_refused(keras_file: Path, tmp_path: Path) -> None:
    bomb = changed(keras_file, tmp_path / "bomb", lambda _: None, **{"assets/zeros.txt": bytes(32 << 20)})
    assert "unpacks to more than" in refused(bomb)
    whole = (keras_file / "model.keras").read_bytes()
    (bomb / "model.keras").write_bytes(whole[: len(whole) // 2])
    assert "cut off or no Keras file" in refused(bomb)


def test_a_configuration_without_end_is_refused(keras_file: Path, tmp_path: Path) -> None:
    deep = ("[" * 200_000 + "]" * 200_000).encode()
    assert "too deep" in refused(changed(keras_file, tmp_path / "deep", lambda _: None, **{"config.json": deep}))


def linked(path: Path) -> None:
    with h5py.File(path.parent.parent / "secret.h5", "w") as file:
        file["secret"] = SECRET
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = h5py.ExternalLink(str(path.parent.parent / "secret.h5"), "/secret")


def soft(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = h5py.SoftLink("/nowhere")


def outside(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", (10,), "u1", external=[("/etc/passwd", 0, 10)])


def virtual(path: Path) -> None:
    layout = h5py.VirtualLayout((10,), "f4")
    layout[:] = h5py.VirtualSource("/data/other.h5", "w", (10,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("layers/dense/vars/0", layout)


def endless(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", (1 << 40,), "f4", chunks=(1 << 20,))


def cut_off(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["w"] = list(range(10_000))
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (linked, "is a link"), (soft, "is a link"), (outside, "lies in another file"), (virtual, "lies in another file"),
        (endless, "more than 4 GiB"), (cut_off, "cut off"),
    ],
)  # fmt: skip
def test_weights_lie_in_their_file(keras_file: Path, tmp_path: Path, build: Callable[[Path], None], why: str) -> None:
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "config.json").write_text('{"module": "keras_hub.models", "class_name": "Bert", "registered_name": "Bert"}')
    build(hub / "model.weights.h5")
    assert why in refused(hub)
    assert refused(hub).startswith("model.weights.h5")
    data = (hub / "model.weights.h5").read_bytes()
    inside = refused(changed(keras_file, tmp_path / "file", lambda _: None, **{"model.weights.h5": data}))
    assert inside.startswith("model.keras/model.weights.h5")
    assert why in inside


@pytest.fixture
def hugging_face(tmp_path: Path) -> Path:
    """A folder as Hugging Face lays it out; what its weights are is not looked at here."""
    folder = tmp_path / "hf"
    (folder / "1_Pooling").mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "1_Pooling/config.json"):
        (folder / name).write_text('{"model_type": "bert"}')
    for name in ("model.safetensors", "vocab.txt", "README.md", ".gitattributes", "LICENSE"):
        (folder / name).write_bytes(b"")
    folders.check(folder)
    return folder


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "model.pth", "model.pkl", "weights.npz", "model.ckpt", "tf_model.h5"]
)
def test_weights_that_may_be_pickled_are_refused(hugging_face: Path, name: str) -> None:
    with (hugging_face / name).open("wb") as file:
        pickle.dump(Evil(), file)
    told = refused(hugging_face)
    assert told.startswith(name)
    assert "safetensors" in told


def test_code_in_a_folder_is_refused(hugging_face: Path) -> None:
    (hugging_face / "modeling_evil.py").write_text("import os")
    assert "modeling_evil.py is code" in refused(hugging_face)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_configuration_that_names_code_of_its_own_is_refused(hugging_face: Path, name: str) -> None:
    (hugging_face / name).write_text('{"model_type": "bert", "auto_map": {"AutoModel": "modeling_evil.Evil"}}')
    assert f"{name} names code of its own (auto_map)" in refused(hugging_face)


def test_links_out_of_a_folder_are_refused(hugging_face: Path) -> None:
    (hugging_face / "vocab.txt").unlink()
    (hugging_face / "vocab.txt").symlink_to("/etc/passwd")
    assert "vocab.txt is a link" in refused(hugging_face)
    (hugging_face / "vocab.txt").unlink()
    (hugging_face / "deep").symlink_to("/etc")
    assert "deep is a link" in refused(hugging_face)
    (hugging_face / "deep").unlink()
    os.mkfifo(hugging_face / "vocab.txt")
    assert "vocab.txt is a link or a device" in refused(hugging_face)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "is no model" in refused(tmp_path)

"""A stranger's model as a folder: which files may be in it, and what each of them may hold. Nothing of it is loaded."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from marketplace.errors import SourceInvalid
from marketplace.publishing.inspection import graphs, keras
from marketplace.publishing.inspection.archives import MOST_BYTES, MOST_FILES, plain
from marketplace.training.artifact import KERAS_FILE, KERAS_HUB, SAVED_MODEL, kind_of, read_json

MOST_JSON_BYTES = 64 << 20  # a large vocabulary has some ten
_SAVED_MODEL = re.compile(
    r"saved_model\.pb|fingerprint\.pb|keras_metadata\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})"
    r"|(assets|assets\.extra)/.*"
)
_FOLDER = re.compile(
    r"(.*/)?[^/]*(\.json|\.jinja|\.txt|\.md|\.model|\.spm|\.vocab|\.merges|\.safetensors|\.weights\.h5)|assets/.*"
)
_NOTES = re.compile(r"(README|LICENSE|NOTICE|USE_POLICY)[^/]*|\.gitattributes", re.IGNORECASE)
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".msgpack", ".h5", ".dill")


def check(folder: Path) -> None:
    """Raises SourceInvalid that names the file, and where it holds what may not run, the operation or class."""
    found = files(folder)
    kind = kind_of(folder)
    if kind is None:
        raise _refusal(folder.name, "is no model: it has no saved_model.pb, no .keras file and no config.json")
    for name, path in found.items():
        if _NOTES.fullmatch(name):
            continue
        known = _SAVED_MODEL if kind == SAVED_MODEL else _FOLDER
        if name.endswith(".py"):
            raise _refusal(name, "is code, which is never run: leave it out")
        if not (known.fullmatch(name) or (kind == KERAS_FILE and name.endswith(".keras"))):
            if name.endswith(_PICKLES):
                raise _refusal(name, "may hold pickled code: save weights as safetensors (save_pretrained does)")
            raise _refusal(name, f"does not belong into a {kind}: leave it out")
        _check_file(name, path, kind)
    if kind == SAVED_MODEL:
        graphs.check(folder)


def _check_file(name: str, path: Path, kind: str) -> None:
    if name.endswith(".keras"):
        keras.check_file(path)
    elif name.endswith(".h5"):
        if kind != KERAS_HUB:
            raise _refusal(name, "is read from KerasHub's folders only: save weights as safetensors")
        keras.check_weights(name, path)
    elif name.endswith(".json") and kind not in (SAVED_MODEL, KERAS_FILE):
        if path.stat().st_size > MOST_JSON_BYTES:
            raise _refusal(name, f"has more than {MOST_JSON_BYTES >> 20} MiB")
        if "auto_map" in read_json(path) or "custom_pipelines" in read_json(path):
            raise _refusal(name, "names code of its own (auto_map), which is never run: take it out")
        if kind == KERAS_HUB:
            keras.check_config(name, path.read_bytes())


def files(folder: Path) -> dict[str, Path]:
    """Every file by its path in the folder. Raises SourceInvalid for links, devices, names that are not plain, too much."""
    found: dict[str, Path] = {}
    size = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        told = path.lstat()
        try:
            plain(name)
        except ValueError as error:
            raise _refusal(repr(name[:120]), str(error)) from None
        if stat.S_ISDIR(told.st_mode):
            continue
        if not stat.S_ISREG(told.st_mode) or told.st_nlink > 1:
            raise _refusal(name, "is a link or a device: only files and folders are taken")
        found[name] = path
        size += told.st_size
        if len(found) > MOST_FILES or size > MOST_BYTES:
            raise _refusal(folder.name, f"has more than {MOST_FILES} files or {MOST_BYTES >> 30} GiB")
    return found


def _refusal(where: str, what: str) -> SourceInvalid:
    return SourceInvalid(f"{where} {what}.", param="source")

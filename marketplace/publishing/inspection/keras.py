"""Keras' files: configurations that name only Keras' own classes, and weights that lie in the file itself."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import IO, Any

from marketplace.errors import SourceInvalid
from marketplace.publishing.inspection.archives import MOST_BYTES, MOST_FILES, MOST_RATIO, SMALL_BYTES, plain

MOST_CONFIG_BYTES = 32 << 20
_MODULES = re.compile(
    r"keras(\.(layers|initializers|regularizers|constraints|activations|models|losses|metrics|optimizers|quantizers"
    r"|dtype_policies|random|src\.(layers|models|ops|initializers|dtype_policies|backend|random)(\.\w+)*))?"
    r"|keras_hub\.(layers|models|tokenizers|src\.\w+(\.\w+)*)"
)
_FUNCTIONS = re.compile(r"keras\.(activations|initializers|losses|metrics|ops)")
# They run code, or load what lies elsewhere.
_NEVER = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "__lambda__"})
_PLACES = frozenset({"vocabulary", "merges", "idf_weights", "proto", "filepath", "file", "path", "url", "origin"})


def check_file(path: Path) -> None:
    """A .keras file: its members, bounds, configuration and weights. Raises SourceInvalid."""
    most = min(MOST_BYTES, max(path.stat().st_size * MOST_RATIO, SMALL_BYTES))
    try:
        with zipfile.ZipFile(path) as opened:
            members = opened.infolist()
            if len(members) > MOST_FILES or sum(member.file_size for member in members) > most:
                raise _refusal(path.name, f"unpacks to more than {most >> 20} MiB or {MOST_FILES} files")
            if len({member.filename for member in members}) < len(members):
                raise _refusal(path.name, "holds two members of one name")
            for member in members:
                _check_member(path.name, member)
                where = f"{path.name}/{member.filename}"
                if member.filename == "config.json":
                    if member.file_size > MOST_CONFIG_BYTES:
                        raise _refusal(where, "is too large")
                    check_config(where, opened.read(member))
                elif member.filename.endswith(".h5"):
                    check_weights(where, io.BytesIO(opened.read(member)))
            if "config.json" not in opened.namelist():
                raise _refusal(path.name, "has no config.json: save the model with model.save")
    # NotImplementedError is zipfile's: a compression that it does not know.
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _refusal(path.name, f"is cut off or no Keras file: save the model again ({str(error)[:80]})") from error


def _check_member(file: str, member: zipfile.ZipInfo) -> None:
    name = member.filename
    try:
        parts = plain(name)
    except ValueError as error:
        raise _refusal(f"{file}/{name[:80]}", str(error)) from None
    if parts[0] == "assets":  # Keras would unpack them to a place that strangers' models do not have
        raise _refusal(
            f"{file}/{name[:80]}", "is an asset: put its words into the configuration, or export a SavedModel"
        )
    if parts not in (("config.json",), ("metadata.json",), ("model.weights.h5",)):
        raise _refusal(f"{file}/{name[:80]}", "does not belong into a Keras file: save the model with model.save")


def check_config(where: str, data: bytes) -> None:
    """The JSON that a model is built from. Raises SourceInvalid with the class that is not Keras' own, or runs code."""
    try:
        found = json.loads(data)
        _walk(where, found)
    except (ValueError, RecursionError) as error:
        raise _refusal(where, "is no JSON, or too deep") from error


def _walk(where: str, found: Any) -> None:
    if isinstance(found, list):
        for one in found:
            _walk(where, one)
    if not isinstance(found, dict):
        return
    name, module = found.get("class_name"), found.get("module")
    if isinstance(name, str):
        if name in _NEVER:
            raise _refusal(
                where, f"holds a {name}, which runs code or loads other files: build the model from Keras' own layers"
            )
        allowed = _FUNCTIONS if name == "function" else _MODULES
        if (module is not None or name == "function") and not allowed.fullmatch(str(module)):
            raise _refusal(
                where, f"names {str(module)[:80]}.{name[:80]}, which is not Keras' own: such code is never run"
            )
        if module is None and found.get("registered_name") not in (None, name):
            raise _refusal(where, f"names the registered class {name[:80]}, which is not known here")
    for key, value in found.items():
        if key in _PLACES and isinstance(value, str):
            raise _refusal(
                where, f"reads {key} from {value[:80]!r}: put the words into the configuration or the assets"
            )
        _walk(where, value)


def check_weights(where: str, file: IO[bytes] | Path) -> None:
    """An HDF5 file of weights: plain numbers that lie in it. Raises SourceInvalid for links, outside storage, more than fits."""
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            size = 0

            def walk(group: Any, depth: int) -> None:
                nonlocal size
                for name in group:
                    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                        raise _refusal(where, f"{name[:80]!r} is a link: weights must lie in the file itself")
                    one = group[name]
                    if isinstance(one, h5py.Group):
                        if depth > 64:
                            raise _refusal(where, "is too deep")
                        walk(one, depth + 1)
                    elif one.external or one.is_virtual:
                        raise _refusal(where, f"{name[:80]!r} lies in another file: weights must lie in this one")
                    else:
                        size += one.nbytes
                        if size > MOST_BYTES:
                            raise _refusal(where, f"holds more than {MOST_BYTES >> 30} GiB")

            walk(opened, 0)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise _refusal(where, f"is cut off or no HDF5 file: save the weights again ({str(error)[:80]})") from error


def _refusal(where: str, what: str) -> SourceInvalid:
    return SourceInvalid(f"{where} {what}.", param="source")

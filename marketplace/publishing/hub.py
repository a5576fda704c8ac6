"""Models of the Hugging Face hub: `hf://organisation/name`, in either layout of folder, never code."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from marketplace.errors import SourceInvalid

SCHEME = "hf://"
ANSWER_S = 10.0  # the hub may be silent for so long
_WANTED = (
    "*.json", "*.txt", "*.jinja", "*.safetensors", "*.weights.h5", "*.keras", "saved_model.pb", "variables/*", "assets/*",
)  # fmt: skip
_ELSEWHERE = ("consolidated*", "original/*", "onnx/*", "openvino/*")  # the same weights once more


def downloaded(source: str) -> Path:
    """The folder on this machine; what was downloaded before is found without a network. Raises SourceInvalid."""
    import huggingface_hub as library
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    session: Any = library.get_session()
    session.timeout = ANSWER_S  # the library itself waits for ever, also for a model's description
    name = source.removeprefix(SCHEME)
    files: Any = {"allow_patterns": list(_WANTED), "ignore_patterns": list(_ELSEWHERE)}
    try:
        library.HfApi().model_info(name, timeout=ANSWER_S)
        return Path(library.snapshot_download(name, **files))
    except GatedRepoError as error:
        raise SourceInvalid(
            f"{source} is gated: ask for access on its page, and set HF_TOKEN to a token that has it.", param="source"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise SourceInvalid(
            f"There is no model {source}, or it is private: check the name, or set HF_TOKEN.", param="source"
        ) from error
    except Exception as error:  # the library raises its own, its client's and the system's
        with contextlib.suppress(Exception):
            return Path(library.snapshot_download(name, local_files_only=True, **files))
        raise SourceInvalid(
            f"{source} cannot be downloaded, since the hub cannot be reached: check the network, or download the model "
            f"elsewhere and give its folder. ({str(error)[:120]})",
            param="source",
        ) from error

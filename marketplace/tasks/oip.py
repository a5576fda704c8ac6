"""What the Open Inference Protocol calls things: datatypes by name, and where a server has a model.

https://github.com/kserve/open-inference-protocol
"""

from __future__ import annotations

from urllib.parse import quote

DATATYPES = {
    "BOOL": "bool", "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64", "UINT8": "uint8",
    "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    "BYTES": "str",
}  # fmt: skip
MODELS = "/v2/models/"


def place_of(target: str, model: str) -> tuple[str, str]:
    """The server's address, and the model's path on it.

    `target` is a server's address (`http://host:8000`, also with `/v2`), which has `model` under this name, or the
    model's own address (`http://host:8000/v2/models/resnet/versions/2`).
    """
    root, found, named = target.rstrip("/").partition(MODELS)
    if found:
        return root, MODELS + named
    return root.removesuffix("/v2"), MODELS + quote(model)

"""Reads what a model on an Open Inference Protocol server takes and gives, by the server's own metadata."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import orjson
import urllib3

from marketplace.errors import SourceInvalid
from marketplace.tasks.oip import DATATYPES, place_of
from marketplace.tasks.task import ModelSpec, Task, Tensor

CARRIED = ("tensor", "image-classification")  # tasks whose models are described by their tensors alone
ASKED_S = 10.0


def describe(target: str, model: str, key_env: str, task: Task) -> ModelSpec:
    """The model's inputs and outputs; `key_env` names the variable with the server's key, if it wants one.

    Raises SourceInvalid: nobody answers there, no such model, or metadata that does not say what it takes.
    """
    if task.name not in CARRIED:
        raise SourceInvalid(f"The Open Inference Protocol carries {', '.join(CARRIED)}, not {task.name}.", param="task")
    root, path = place_of(target, model)
    told = _asked(root + path, os.environ.get(key_env) if key_env else None)
    inputs, outputs = _tensors(told, "inputs", root + path), _tensors(told, "outputs", root + path)
    if task.name == "image-classification" and (
        len(inputs) != 1 or len(inputs[0].shape) != 4 or None in inputs[0].shape[1:]
    ):
        raise SourceInvalid(
            f"{root + path} does not take images: its one input must be [rows, height, width, channels].",
            param="source",
        )
    return ModelSpec(inputs, outputs)


def _asked(address: str, key: str | None) -> Mapping[str, Any]:
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib3.PoolManager(timeout=ASKED_S, retries=False) as pool:
            response = pool.request("GET", address, headers=headers, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        raise SourceInvalid(
            f"{address} cannot be reached: start the server first, or correct the address.", param="source"
        ) from error
    if response.status in (401, 403):
        raise SourceInvalid(
            f"{address} wants a key: put it into a variable and name that with --upstream-key-env.", param="source"
        )
    try:
        told = orjson.loads(response.data)
    except orjson.JSONDecodeError:
        told = None
    if response.status >= 300 or not isinstance(told, dict):
        said = told.get("error") if isinstance(told, dict) else None
        raise SourceInvalid(
            f"{address} has no metadata (status {response.status}): name the model with --upstream-model. {str(said or '')[:200]}".rstrip(),
            param="source",
        )
    return told


def _tensors(told: Mapping[str, Any], side: str, address: str) -> tuple[Tensor, ...]:
    listed = told.get(side)
    if not isinstance(listed, list) or not listed:
        raise SourceInvalid(
            f"{address} does not say its {side}: add them to the model's settings there.", param="source"
        )
    found = []
    for one in listed:
        try:
            name, datatype, shape = str(one["name"]), one["datatype"], [int(size) for size in one["shape"]]
        except (KeyError, TypeError, ValueError) as error:
            raise SourceInvalid(
                f"{address} describes one of its {side} without name, datatype or shape.", param="source"
            ) from error
        if datatype not in DATATYPES:
            raise SourceInvalid(
                f"{name} at {address} is of the datatype {datatype}, which is not carried here.", param="source"
            )
        if not shape:
            raise SourceInvalid(
                f"{name} at {address} has no rows: every input and output needs them as its first axis.", param="source"
            )
        found.append(Tensor(name, DATATYPES[datatype], tuple(None if size < 0 else size for size in shape)))
    return tuple(found)

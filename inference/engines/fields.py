"""The fields of a request to a model that runs here: each is done, or refused by its name. None vanishes.

Let through without being done are only fields that keep somebody's books, and values that ask for nothing. A model on an
OpenAI-compatible server gets every field: what it cannot do, its server says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketplace.errors import InputInvalid
from marketplace.tasks.schema import Check

RUN_HERE = ("tensorflow", "runner")  # engines

_STOP = {"minLength": 1, "maxLength": 100}
_SAMPLED: Mapping[str, Any] = {
    "max_tokens": {"type": "integer", "minimum": 1},
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "top_p": {"type": "number", "minimum": 0, "maximum": 1},
    "top_k": {"type": "integer", "minimum": 1},
    "seed": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
    "stop": {"type": ["string", "array"], **_STOP, "items": {"type": "string", **_STOP}, "maxItems": 16},
}
_PROMPT = {"type": "string", "minLength": 1, "maxLength": 20_000}
# What is done, by task: TensorFlow's programs read no other field.
ABLE: Mapping[str, Mapping[str, Any]] = {
    "text-generation": {**_SAMPLED, "prompt": _PROMPT},
    "chat": {**_SAMPLED, "max_completion_tokens": _SAMPLED["max_tokens"], "prompt": _PROMPT, "messages": {}},
    "image-generation": {"prompt": _PROMPT, "n": {"type": "integer"}, "seed": _SAMPLED["seed"]},
    "embeddings": {"texts": {"type": "array", "items": {"type": "string"}}, "dimensions": {"type": "integer"}},
}
_CHECKS = {task: Check({"type": "object", "properties": able}) for task, able in ABLE.items()}

# They tell whose request it is and where its prompt may be kept: the answer is the same with them.
BOOKKEEPING = frozenset({
    "user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
})  # fmt: skip
# The values with which a field asks for nothing; null asks for nothing in any.
_NOTHING: Mapping[str, tuple[Any, ...]] = {
    "n": (1,), "best_of": (1,), "echo": (False,), "suffix": ("",), "logprobs": (False,), "top_logprobs": (0,),
    "logit_bias": ({},), "frequency_penalty": (0,), "presence_penalty": (0,), "repetition_penalty": (1,),
    "length_penalty": (1,), "min_p": (0,), "top_k": (0, -1), "min_tokens": (0,), "stop": ("", []),
    "ignore_eos": (False,), "use_beam_search": (False,), "skip_special_tokens": (True,),
    "tools": ([],), "tool_choice": ("none", "auto"), "functions": ([],), "function_call": ("none", "auto"),
    "parallel_tool_calls": (True, False), "response_format": ({"type": "text"},), "modalities": (["text"],),
    "reasoning_effort": ("none",), "verbosity": ("medium",), "store": (False,), "stream": (False,),
    "size": ("auto",), "quality": ("auto",), "background": ("auto", "opaque"), "moderation": ("auto",),
    "output_format": ("png",), "stream_options": ({},), "service_tier": ("auto", "default"),
}  # fmt: skip


def check(
    model: str, task: str, given: Mapping[str, Any], root: str = "", names: Mapping[str, str] | None = None
) -> None:
    """Raises InputInvalid (422) for the first field that is not done, and for values out of their range.

    `root` and `names` (ours → the caller's) say where the fields stand in the caller's body.
    """
    able = ABLE.get(task)
    if able is None:
        return
    done: dict[str, Any] = {}
    for name, value in given.items():
        if asks_nothing(name, value) or name in BOOKKEEPING:
            continue
        said = (names or {}).get(name, name)
        if name not in able:
            shown = said[:60].replace("/", ".")
            raise InputInvalid(
                f"{model} runs here and cannot do what {shown} asks for: leave it out.", param=f"{root}/{said[:60]}"
            )
        if name == "texts" and isinstance(value, list) and not all(isinstance(text, str) for text in value):
            raise InputInvalid(f"{model} runs here and reads text: send texts, not tokens.", param=f"{root}/{said}")
        if name == "prompt" and not isinstance(value, str):
            raise InputInvalid(f"{model} runs here and continues one text: send it alone.", param=f"{root}/{said}")
        done[name] = value
    _CHECKS[task](done, root, names)


def asks_nothing(name: str, value: Any) -> bool:
    """Whether the field, with this value, asks for nothing that the model would not do without it."""
    if value is None:
        return True
    # 0 is no false, though Python holds them equal: logprobs 0 asks for something, logprobs false does not.
    return any(
        value == nothing and isinstance(value, bool) == isinstance(nothing, bool) for nothing in _NOTHING.get(name, ())
    )

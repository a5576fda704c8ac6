"""The programming interface as an OpenAPI 3.1 document, made from the addresses that are there, and its page.

https://spec.openapis.org/oas/v3.1.1. Paths, methods and summaries come from the views; bodies from SHAPES and the tasks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLResolver, get_resolver

from billing.gate.models import Period
from billing.statements.api import GROUPS
from billing.statements.usage import MOST_A_PAGE
from inference.api.oip.infer import OipView
from inference.api.openai.fine_tuning_wire import RECIPES
from inference.api.tfserving.predict import TfServingView
from inference.golden.runs import MOST_MODELS
from inference.golden.sets import judged
from inference.later.batches import ENDPOINTS
from marketplace.catalog.search import SORTS
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from portal.accounts.keys.scopes import SCOPES
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.view import KeyedView, Nowhere
from portal.pages import api_answers

Json = dict[str, Any]
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
_TEXT: Json = {"type": "string"}
_MODEL: Json = {"type": "string", "description": "publisher/name, or publisher/name@version"}
_LOOSE: Json = {"type": "object"}
_METADATA: Json = {"type": "object", "maxProperties": 16, "additionalProperties": {"type": "string", "maxLength": 512}}
_MONEY: Json = {"type": "string", "pattern": r"^\d{1,9}(\.\d{1,9})?$", "description": "dollars"}


def _object(required: tuple[str, ...] = (), **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


def _of_task(name: str, **more: Json) -> Json:
    """The body of a call by OpenAI's interface for a task."""
    schema = registry.get(name).codec.input_schema(ModelSpec())
    return {
        **schema,
        "properties": {"model": _MODEL, **schema["properties"], **more},
        "required": ["model", *schema["required"]],
        "additionalProperties": True,
    }


_KEY = _object(
    name=_TEXT, rpm={"type": "integer"}, tpm={"type": "integer"}, concurrency={"type": "integer"},
    scopes={"type": "array", "items": {"enum": list(SCOPES)}}, models={"type": "array", "items": _TEXT},
    networks={"type": "array", "items": _TEXT}, expires_at={"type": ["string", "null"], "format": "date-time"},
    caps={"type": "object", "properties": dict.fromkeys(Period.values, {"type": ["string", "null"]})},
)  # fmt: skip
_TENSOR = _object(
    ("name", "shape", "datatype", "data"),
    name=_TEXT, shape={"type": "array", "items": {"type": "integer", "minimum": 1}}, datatype=_TEXT, data={"type": "array"},
)  # fmt: skip
_EXAMPLE = _object(
    ("input", "expected"), input={}, expected={}, slices={"type": "object", "additionalProperties": _TEXT}
)
_MODELS: Json = {"type": "array", "items": _MODEL, "minItems": 1, "maxItems": MOST_MODELS, "uniqueItems": True}
_WISHES = {"max_cost": _MONEY, "fallback_models": {"type": "array", "items": _TEXT}}


_LIMIT: Json = {"type": "integer", "minimum": 1}
_TIME: Json = {"type": "string", "format": "date-time"}
_ORDER: Json = {"enum": ["asc", "desc"]}
# Address name → what may stand in the query of its list.
_QUERIES: dict[str, Json] = {
    "api_models": {"limit": _LIMIT, "after": _TEXT, "task": {"enum": list(registry.TASKS)}, "q": _TEXT, "sort": {"enum": list(SORTS)}},
    "api_files": {"limit": _LIMIT, "after": _TEXT, "order": _ORDER, "purpose": _TEXT},
    "api_batches": {"limit": _LIMIT, "after": _TEXT, "order": _ORDER},
    "api_fine_tuning_jobs": {"limit": _LIMIT, "after": _TEXT, "order": _ORDER},
    "api_fine_tuning_events": {"limit": _LIMIT, "after": _TEXT},
    "api_fine_tuning_checkpoints": {"limit": _LIMIT, "after": _TEXT},
    "api_usage": {
        "since": _TIME, "until": _TIME, "model": _TEXT, "key": _TEXT, "limit": {**_LIMIT, "maximum": MOST_A_PAGE},
        "cursor": _TEXT, "group_by": {"enum": list(GROUPS)}, "format": {"enum": ["json", "jsonl"]},
    },
    "api_golden_sets": {"limit": _LIMIT, "after": _TEXT, "order": _ORDER},
    "api_golden_runs": {"limit": _LIMIT, "after": _TEXT, "order": _ORDER},
    "api_golden_answers": {"limit": _LIMIT, "after": {"type": "integer", "minimum": 0}},
    "api_earnings": {"from": _TEXT, "to": _TEXT, "group_by": {"enum": ["day", "model"]}},
    "api_usage_receipt": {"from": _TEXT, "to": _TEXT},
}  # fmt: skip


@cache
def _shapes() -> dict[str, Json]:
    """Address name → JSON Schema of its body."""
    chat = _of_task("chat", **_WISHES)
    tokens = {"type": "array", "items": {"type": "integer"}}
    texts = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}, tokens, {"type": "array", "items": tokens}]}
    whole: Json = {"type": "integer", "minimum": 1}
    message = _object(("role", "content"), role={"enum": ["user", "assistant"]}, content={"type": ["string", "array"]})
    rows = _object(instances={"type": "array"}, inputs={}, signature_name=_TEXT)
    shapes = {
        "api_chat_completions": chat,
        "api_quotes": {"anyOf": [chat, *_other_calls()]},
        "api_route": {"anyOf": [chat, *_other_calls()]},
        "api_completions": _of_task("text-generation", prompt=texts, **_WISHES),
        "api_responses": _object(
            ("model", "input"), model=_MODEL, input={"type": ["string", "array"]}, instructions=_TEXT,
            max_output_tokens=whole, text=_LOOSE, reasoning=_LOOSE, tools={"type": "array", "items": _LOOSE}, **_WISHES,
        ),
        "api_embeddings": _object(
            ("model", "input"), model=_MODEL, input=texts, encoding_format={"enum": ["float", "base64"]},
            dimensions=whole, user=_TEXT, **_WISHES,
        ),
        "api_images": _of_task("image-generation", **_WISHES),
        "api_messages": _object(
            ("model", "max_tokens", "messages"),
            model=_MODEL, max_tokens={"type": "integer", "minimum": 1},
            messages={"type": "array", "items": message, "minItems": 1}, stop_sequences={"type": "array", "items": _TEXT},
            thinking=_LOOSE, output_config=_LOOSE, tools={"type": "array", "items": _LOOSE}, **_WISHES,
        ),
        "api_predictions": _object(("input",), input=_LOOSE, webhook=_TEXT, **_WISHES),
        "oip_infer": _object(("inputs",), id=_TEXT, inputs={"type": "array", "items": _TENSOR, "minItems": 1}),
        "api_golden_sets": _object(
            ("name", "task", "examples"), name=_TEXT, task={"enum": judged()},
            examples={"type": "array", "items": _EXAMPLE, "minItems": 1, "maxItems": settings.GOLDEN_MAX_EXAMPLES},
        ),
        "api_golden_estimate": _object(("models",), models=_MODELS),
        "api_golden_runs": _object(("models",), models=_MODELS, max_cost=_MONEY),
        "api_keys": {**_KEY, "required": ["name"]},
        "api_key": _KEY,
        "api_rotate_key": _object(overlap_seconds={"type": "number", "minimum": 0}),
        "api_tokens": _object(("model",), model=_MODEL, max_cost=_MONEY, expires_in={"type": "integer"}, origin=_TEXT),
        "api_webhooks": _object(("url",), url=_TEXT, events={"type": "array", "items": _TEXT}),
        "api_batches": _object(
            ("input_file_id", "endpoint"),
            input_file_id=_TEXT, endpoint={"enum": list(ENDPOINTS)}, completion_window={"const": "24h"}, max_cost=_MONEY,
            metadata=_METADATA,
        ),
        "api_fine_tuning_jobs": _object(
            ("model", "training_file"),
            model={"enum": list(RECIPES)}, training_file=_TEXT, hyperparameters=_LOOSE, method=_LOOSE, suffix=_TEXT,
            seed={"type": "integer"}, target=_TEXT, max_cost=_MONEY, metadata=_METADATA,
        ),
    }  # fmt: skip
    shapes["api_count_tokens"] = shapes["api_messages"]
    shapes["oip_version_infer"] = shapes["oip_infer"]
    for verb in ("predict", "classify", "regress"):
        shapes |= dict.fromkeys((f"tfs_{verb}", f"tfs_version_{verb}", f"tfs_label_{verb}"), rows)
    return shapes


def _other_calls() -> tuple[Json, ...]:
    """What a call may be when it is asked about, and no conversation: a prediction, tensors, texts to embed."""
    tensors = {"type": "array", "items": _TENSOR, "minItems": 1}
    return (
        _object(("model", "input"), model=_MODEL, input={"type": ["object", "string", "array"]}, **_WISHES),
        _object(("model", "inputs"), model=_MODEL, inputs=tensors, **_WISHES),
        _object(("model", "prompt"), model=_MODEL, prompt=_TEXT, **_WISHES),
    )


@cache
def document() -> Json:
    """The whole document."""
    paths: dict[str, Json] = {}
    for route, name, view in _routes():
        path = "/" + _PARAMETER.sub(r"{\1}", route)
        for method in ("get", "post", "patch", "delete"):
            if method in view.http_method_names and hasattr(view, method):
                paths.setdefault(path, {})[method] = _operation(route, name, view, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mercato",
            "version": settings.VERSION,
            "description": "AI models over the protocols that tools already speak. Every answer carries x-request-id, "
            "x-mercato-cost (dollars) and x-ratelimit-*; every POST takes an Idempotency-Key. Answers of JSON come as XML "
            "where Accept likes that better. A method that an address does not take is 405, with Allow.",
        },
        "servers": [{"url": settings.SITE_URL}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key, mk_…"}},
            "headers": api_answers.components(),
            "schemas": {"Error": _error(), "PlainError": _object(("error",), error=_TEXT, code=_TEXT)},
        },
    }


def openapi(request: HttpRequest) -> HttpResponse:
    """GET /openapi.json"""
    return json_answer(document())


def reference(request: HttpRequest) -> HttpResponse:
    """GET /docs/api: the document for people."""
    operations = [
        {"path": path, "method": method.upper(), "address": _placed(operation, "path"), **operation}
        | {"query": _placed(operation, "query"), "asked": _placed(operation, "header")}
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]
    groups: dict[str, list[Json]] = {}
    for operation in operations:
        groups.setdefault(operation["tags"][0], []).append(operation)
    return render(
        request, "portal/reference.html", {"groups": groups.items(), "problems": api_answers.PROBLEMS.items()}
    )


def _placed(operation: Json, where: str) -> list[Json]:
    return [parameter for parameter in operation["parameters"] if parameter["in"] == where]


def _routes(resolver: URLResolver | None = None) -> Iterator[tuple[str, str, type[KeyedView]]]:
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            if not str(entry.pattern):
                yield from _routes(entry)
            continue
        view = getattr(entry.callback, "view_class", None)
        if view is not None and issubclass(view, KeyedView) and not issubclass(view, Nowhere):
            yield str(entry.pattern), str(entry.name), view


def _operation(route: str, name: str, view: type[KeyedView], method: str) -> Json:
    summary = (getattr(view, method).__doc__ or view.__doc__ or name).strip().split("\n")[0].rstrip(".")
    plain = issubclass(view, (OipView, TfServingView))
    error = {"schema": {"$ref": f"#/components/schemas/{'PlainError' if plain else 'Error'}"}}
    operation: Json = {
        "operationId": f"{name}_{method}",
        "summary": summary,
        "tags": [_tag(route)],
        "parameters": [
            {"name": parameter, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for parameter in _PARAMETER.findall(route)
        ]
        + [
            {"name": parameter, "in": "query", "required": False, "schema": schema}
            for parameter, schema in (_QUERIES.get(name, {}) if method == "get" else {}).items()
        ],
        "responses": api_answers.responses(name, view, method, error),
    }
    operation["parameters"] += api_answers.asked(name, method)
    if method in ("post", "patch"):
        if name == "api_files":
            upload = _object(
                ("purpose", "file"), purpose={"const": "batch"}, file={"type": "string", "format": "binary"}
            )
            operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": upload}}}
        elif name in _shapes():
            operation["requestBody"] = {"required": True, "content": api_answers.body(name, _shapes()[name])}
    return operation


def _tag(route: str) -> str:
    if route.startswith("v2"):
        return "Open Inference Protocol"
    if ":" in _PARAMETER.sub("", route) or "/metadata" in route or "/versions/" in route:
        return "TensorFlow Serving"
    first = route.split("/")[1]
    return {"chat": "OpenAI", "completions": "OpenAI", "responses": "OpenAI", "embeddings": "OpenAI", "images": "OpenAI",
            "files": "OpenAI", "batches": "OpenAI", "models": "Models and predictions", "predictions": "Models and predictions",
            "messages": "Anthropic", "webhooks": "Webhooks", "quotes": "Before a call", "golden_sets": "Golden sets", "route": "Before a call"}.get(
        first, "Keys and usage"
    )  # fmt: skip


def _error() -> Json:
    details = _object(
        ("message", "type", "code"), message=_TEXT, type=_TEXT, code=_TEXT, param={"type": ["string", "null"]}
    )
    return _object(("error",), error=details)

"""What each operation of the interface may be asked in headers, and what it may answer: statuses, forms, headers."""

from __future__ import annotations

from typing import Any

from inference.api.oip.infer import Infer
from portal.accounts.wire.view import KeyedView

Json = dict[str, Any]
_TEXT: Json = {"type": "string"}
CALLS = {
    "api_predictions", "api_chat_completions", "api_completions", "api_responses", "api_messages", "api_embeddings",
    "api_images", "oip_infer", "oip_version_infer",
    *(f"tfs_{which}{verb}" for which in ("", "version_", "label_") for verb in ("predict", "classify", "regress")),
}  # fmt: skip
_COST = {
    *CALLS,
    "api_quotes",
    "api_route",
    "api_batches",
    "api_golden_runs",
    "api_fine_tuning_jobs",
}  # a budget may refuse them
_CREATED = {
    "api_quotes",
    "api_keys",
    "api_tokens",
    "api_webhooks",
    "api_test_webhook",
    "api_golden_sets",
    "api_golden_runs",
}
_COMPARED = {"api_golden_estimate", "api_golden_runs"}  # name models, and call none of them at once
_BUSY = {"api_golden_set", "api_golden_run"}  # are not deleted while somebody works on them
_STREAMED = {
    "api_chat_completions", "api_completions", "api_responses", "api_messages", "api_predictions",
    "api_prediction_events",
}  # fmt: skip
# Statuses that are refusals, and why.
PROBLEMS = {
    400: "The body, the Idempotency-Key or a text of the address cannot be read.", 401: "No key, or one that opens nothing.",
    402: "The budget or a ceiling does not cover it.", 403: "The key may not do this.", 404: "There is no such thing.",
    405: "The address does not take that method.", 406: "No form of the answer is accepted.",
    409: "It conflicts with another request: the first one with this Idempotency-Key is still at work, for one.",
    410: "The model, or this version of it, was retired.", 413: "The body is too large.", 415: "The body's type is not taken.",
    422: "A field is wrong, and param points at it; or the Idempotency-Key was used with another body.",
    429: "A limit is reached: Retry-After says when it is no more.", 500: "A mistake on our side; it is logged.",
    451: "An operator took the model, or this version of it, down: reason says why.",
    502: "The model's upstream fails.", 503: "Overloaded, not ready, or a store is down: Retry-After says when to ask again.",
    504: "The model did not answer in time.",
}  # fmt: skip
_HEADERS = {
    "x-request-id": "Of this request; a repetition has the first one's.",
    "x-mercato-cost": "Dollars, decimal. A stream tells it in its last event instead.",
    "x-ratelimit-limit-requests": "Of the key, a minute. 0: no limit, and then neither remaining nor reset is sent.",
    "x-ratelimit-remaining-requests": "What is left of it.",
    "x-ratelimit-reset-requests": "Until all of it is there again: a duration like 12.5s.",
    "x-ratelimit-limit-tokens": "The same for tokens.",
    "x-ratelimit-remaining-tokens": "The same for tokens.",
    "x-ratelimit-reset-tokens": "The same for tokens.",
}
_ON_ERRORS = {
    "retry-after": "Seconds, where waiting helps.",
    "x-should-retry": "true with Retry-After; false where it is of no use to ask again.",
}
_WISHES = {
    "x-max-cost": (_TEXT, "Dollars that the call may cost at most."),
    "x-fallback-models": (_TEXT, "Models to ask when the one named cannot answer, with commas between them."),
    "x-on-disconnect": ({"enum": ["cancel", "finish"]}, "What becomes of a stream whose reader leaves."),
    "x-quote-id": (_TEXT, "A firm price, of POST /v1/quotes."),
    "x-operation-id": ({"type": "string", "maxLength": 64}, "A name of your own for it in the usage log."),
    "x-mercato-cache": (_TEXT, "true, or seconds: an answer may come from memory, for nothing."),
    "x-test-fault": ({"enum": ["429", "slow", "mid_stream", "disconnect"]}, "What shall go wrong; for test keys only."),
}
_LATER = {
    "Prefer": (_TEXT, "respond-async, or wait=N: a worker makes it."),
    "Cancel-After": (_TEXT, "15s, 1m, 1h: not later than that."),
}


def asked(name: str, method: str) -> list[Json]:
    """The headers that say more of the request."""
    found: dict[str, tuple[Json, str]] = {}
    if method == "post":
        once = {"type": "string", "minLength": 1, "maxLength": 255}
        found["Idempotency-Key"] = (once, "The same key and body again: the same answer, run and charged once.")
    if name in CALLS and method == "post":
        found |= _WISHES
    if name == "api_predictions":
        found |= _LATER
    if name == "api_prediction_events":
        found["Last-Event-ID"] = (_TEXT, "The last event that was seen: the stream goes on after it.")
    return [
        {"name": header, "in": "header", "required": False, "schema": schema, "description": why}
        for header, (schema, why) in found.items()
    ]


def body(name: str, schema: Json) -> Json:
    """The forms of a body."""
    found = {"application/json": {"schema": schema}}
    if name == "api_predictions":
        xml = {**schema, "xml": {"name": "prediction"}}
        given: Json = {"type": "object", "description": "The model's fields; pictures and other files as they are."}
        found |= {"application/xml": {"schema": xml}, "multipart/form-data": {"schema": given}}
    return found


def responses(name: str, view: type[KeyedView], method: str, error: Json) -> Json:
    """Status → what is answered; `error` is the schema of refusals."""
    found: Json = {}
    for status in _good(name, method):
        headers = {header: _ref(header) for header in _HEADERS}
        headers |= {header: _told(why) for header, why in _more(name, view, method, status).items()}
        found[str(status)] = {"description": "The answer.", "headers": headers, "content": _forms(name, view, method)}
    refusals = {header: _ref(header) for header in (*_HEADERS, *_ON_ERRORS)}
    for status in sorted(_refused(name, view, method)):
        content = {"application/json": error, "application/xml": error}
        found[str(status)] = {"description": PROBLEMS[status], "headers": refusals, "content": content}
    return found


def components() -> Json:
    """`headers` of the document."""
    return {header: _told(why) for header, why in (_HEADERS | _ON_ERRORS).items()}


def _good(name: str, method: str) -> tuple[int, ...]:
    if method == "post" and name == "api_predictions":
        return 200, 202
    return (201,) if method == "post" and name in _CREATED else (200,)


def _refused(name: str, view: type[KeyedView], method: str) -> set[int]:
    found = {400, 401, 403, 404, 406, 422, 500, 503}
    if view.counted:
        found.add(429)
    if method in ("post", "patch"):
        found |= {413, 415}
    if method == "post":
        found.add(409)
        if name in _COST:
            found.add(402)
        if name in CALLS:
            found |= {410, 451, 502, 504}
        if name in _COMPARED:
            found |= {410, 451}
    if method == "delete" and name in _BUSY:
        found.add(409)
    return found


def _forms(name: str, view: type[KeyedView], method: str) -> Json:
    if name == "api_file_content":
        return {"application/octet-stream": {"schema": {}}}
    if name == "api_usage_receipt":
        return {"application/x-ndjson": {"schema": {}}}
    forms = ["application/json", "application/xml"]
    if name == "api_usage":
        forms.append("application/x-ndjson")
    if name in _STREAMED:
        forms.append("text/event-stream")
    if issubclass(view, Infer) and method == "post":
        forms.append("application/octet-stream")
    return {form: {"schema": {}} for form in forms}


def _more(name: str, view: type[KeyedView], method: str, status: int) -> dict[str, str]:
    found = {}
    if method == "post":
        found["idempotent-replayed"] = "true on an answer that a request with this Idempotency-Key got before."
    if name in CALLS and method == "post" and status == 200:
        found["x-mercato-cache"] = "hit or miss, where that was asked for."
        found["age"] = "Seconds since a cached answer was made."
    if status == 202:
        found |= {"location": "Where the prediction is.", "x-queue-position": "How many are before it."}
    if issubclass(view, Infer) and method == "post":
        found["inference-header-content-length"] = "Bytes of JSON before the tensors of a binary answer."
    return found


def _ref(header: str) -> Json:
    return {"$ref": f"#/components/headers/{header}"}


def _told(why: str) -> Json:
    return {"description": why, "schema": _TEXT}

"""Errors in Stripe's shape."""

from __future__ import annotations

from typing import Any


class StripeError(Exception):
    """Becomes {"error": {…}} with its HTTP status; what the request had changed is undone."""

    def __init__(self, message: str, code: str = "", param: str = "", status: int = 400, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"error": {"type": kind or "invalid_request_error", "message": message}}
        if code:
            self.body["error"]["code"] = code
        if param:
            self.body["error"]["param"] = param


class CardError(StripeError):
    """The issuer refused: 402. What the request had changed stays, as a declined payment does at Stripe."""

    def __init__(self, message: str, code: str, decline_code: str = "", **found: Any) -> None:
        super().__init__(message, code, status=402, kind="card_error")
        self.body["error"] |= {"decline_code": decline_code} if decline_code else {}
        self.body["error"] |= found


def missing(kind: str, id: str, status: int = 404, param: str = "id") -> StripeError:
    """No such object."""
    return StripeError(f"No such {kind}: '{id}'", "resource_missing", param, status)

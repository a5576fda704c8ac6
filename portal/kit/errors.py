"""The root of every error that a caller of the product may see."""

from __future__ import annotations

from collections.abc import Mapping


class Problem(Exception):
    """What went wrong, for a machine (`code`) and for a person (`message` says what to change).

    `param` names the offending part of the input (a JSON pointer inside a body). `status` is the
    HTTP status; a subclass sets its own `status` and `code` as class attributes. `retry_after_s`
    is set where waiting helps, by the class or for this one. Turned into bytes in one place per wire.
    """

    status: int = 400
    code: str = "bad_request"
    retry_after_s: float | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.details = dict(details or {})
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s

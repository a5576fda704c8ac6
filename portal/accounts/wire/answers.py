"""The HTTP answers of the interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from django.http.response import ResponseHeaders


class Headers(ResponseHeaders):
    """Django's, the short way for plain text: its conversions were a tenth of a view's time."""

    def __init__(self, made: ResponseHeaders) -> None:
        self._store = made._store

    def __setitem__(self, name: str, value: Any) -> None:
        if type(value) is str and value.isascii() and value.isprintable():  # so it has no end of line either
            self._store[name.lower()] = name, value
        else:
            super().__setitem__(name, value)

    def setdefault(self, name: str, value: str | bytes | int) -> None:
        if name.lower() not in self._store:
            self[name] = value

    def items(self) -> Iterable[tuple[str, str]]:  # type: ignore[override] # as much of a view as anybody needs
        return self._store.values()


class Answer(HttpResponse):
    """Bytes, and headers whose names we wrote."""

    def __init__(
        self,
        content: bytes,
        status: int = 200,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(content, status=status, content_type=content_type)
        self.headers = Headers(self.headers)
        for name, value in (headers or {}).items():
            self.headers[name] = value


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer of JSON."""
    return Answer(orjson.dumps(content), status, headers=headers)

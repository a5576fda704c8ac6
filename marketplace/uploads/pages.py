"""What every address that takes parts has in common: `Content-Range` in, how many bytes are there out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from marketplace.errors import UploadInvalid

PIECE = 64 * 1024
_RANGE = re.compile(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12})")


def take(request: HttpRequest, size: int, append: Callable[[int, Iterator[bytes]], int]) -> HttpResponse:
    """PUT with `Content-Range: bytes first-last/size`: a part, which `append` (offset, pieces → bytes there) writes."""
    told = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
    first, last, whole = map(int, told.groups()) if told else (0, -1, 0)
    if whole != size or not 0 <= last - first < settings.UPLOAD_CHUNK_BYTES:
        return JsonResponse({"message": _("Say which bytes these are: Content-Range.")}, status=400)
    try:
        return JsonResponse({"received": append(first, _pieces(request))})
    except UploadInvalid as problem:
        return JsonResponse({"message": problem.message, **problem.details}, status=problem.status)


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    while piece := request.read(PIECE):
        yield piece

"""What languages are called by those who speak them."""

from __future__ import annotations

from django.utils.translation import get_language_info

_OWN = {"zh": "中文"}  # Django tells scripts apart; models seldom do


def native(code: str) -> str:
    """The name of a language in itself; the code where it is not known."""
    try:
        name: str = _OWN.get(code) or get_language_info(code)["name_local"]
    except KeyError:
        return code
    return name[:1].upper() + name[1:]


def spoken(codes: str) -> str:
    """The names of a model's languages, as `Model.languages` has them."""
    return ", ".join(map(native, codes.split()))

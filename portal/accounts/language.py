"""The language of a person's account, where the browser has not chosen another here."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation

from portal.accounts.models import User


class AccountLanguage:
    """Middleware, after authentication: the footer's choice (a cookie) wins, then the account's, then the browser's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.LANGUAGE_COOKIE_NAME in request.COOKIES:
            return self._get_response(request)
        if isinstance(request.user, User) and request.user.language:
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language()  # as LocaleMiddleware sets it
        return self._get_response(request)

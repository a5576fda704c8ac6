"""What allauth asks of us at sign-up and sign-in."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc] # allauth publishes no types
    """Sign-up by e-mail address is open."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return True

from __future__ import annotations

from typing import ClassVar

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import User


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg] # generic for the type checker only
    """What people may change about themselves."""

    language = forms.ChoiceField(label=_("Language"), choices=[("", "–"), *settings.LANGUAGES], required=False)

    class Meta:
        model = User
        fields: ClassVar[list[str]] = ["name", "language"]

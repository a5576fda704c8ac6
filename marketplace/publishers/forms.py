"""What a workspace says when it applies, and later of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from marketplace.publishers.models import LONGEST


class AboutForm(forms.Form):
    """What the publisher's page says."""

    use_required_attribute = False

    about = forms.CharField(
        label=_("Who you are"),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Shown on your publisher's page."),
    )
    site = forms.URLField(
        label=_("Web site"), max_length=200, required=False, assume_scheme="https",
        widget=forms.TextInput(attrs={"inputmode": "url"}),  # so that example.com will do
        help_text=_("Shown on your publisher's page."),
    )  # fmt: skip


class ApplicationForm(AboutForm):
    """What operators want to know, and the terms of sale."""

    contact = forms.EmailField(
        label=_("Contact"),
        help_text=_("For operators and, through them, for customers who need help. Not shown."),
    )  # fmt: skip
    sells = forms.CharField(
        label=_("What you want to sell"), max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Which models, for whom, made from what. For operators only."),
    )  # fmt: skip
    terms = forms.CharField(widget=forms.HiddenInput)  # the version that was shown
    accepts = forms.BooleanField(
        label=_("I accept the terms of sale for my workspace"),
        error_messages={"required": _("Accept the terms of sale to apply.")},
    )

    @property
    def said(self) -> Mapping[str, str]:
        """For applying.apply."""
        given: dict[str, Any] = self.cleaned_data
        return {name: given[name] for name in ("about", "site", "contact", "sells")}

"""The form of a review."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from marketplace.reviews.models import MOST_STARS, Review


class ReviewForm(forms.Form):
    """Stars and words."""

    use_required_attribute = False

    stars = forms.TypedChoiceField(
        label=_("Stars"), coerce=int, choices=[(n, "★" * n) for n in range(MOST_STARS, 0, -1)], initial=MOST_STARS
    )
    text = forms.CharField(
        label=_("What should others know?"),
        required=False,
        max_length=Review._meta.get_field("text").max_length,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

"""What people choose for the version that a run becomes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.errors import MoneyInvalid
from marketplace.catalog.models import NAME
from marketplace.publishers import rights
from marketplace.training.releasing import Release
from marketplace.training.run_forms import PRICE_USD
from portal.accounts.models import Workspace

MOST_CARD = 20_000  # characters


class ReleaseForm(forms.Form):
    """Filled with what the run, or the version before, says already."""

    use_required_attribute = False

    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        validators=[NAME],
        help_text=_("The name of a model you have makes this its next version."),
    )
    title = forms.CharField(label=_("Title"), max_length=120, required=False)
    notes = forms.CharField(label=_("What changed"), max_length=500, required=False)
    price = forms.CharField(label=_("Price of a row or an image, in dollars"), initial=PRICE_USD)
    visibility = forms.ChoiceField(label=_("Who may use it"), initial="workspace")
    percent = forms.IntegerField(
        label=_("Share of the calls, in percent"),
        min_value=1,
        max_value=100,
        initial=100,
        help_text=_("Of the next version of a model: what is left goes on with the version before, until you decide."),
    )
    summary = forms.CharField(label=_("Summary"), max_length=300, required=False)
    licence = forms.CharField(label=_("Licence"), max_length=60, required=False)
    card = forms.CharField(
        label=_("Card, in Markdown"), max_length=MOST_CARD, required=False, widget=forms.Textarea(attrs={"rows": 6})
    )

    def __init__(self, data: Any, workspace: Workspace | None, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        offered = rights.offered(workspace) if workspace is not None else []
        now = (initial or {}).get("visibility")
        known = dict(offered)
        if now and now not in known:  # it is public since before its workspace lost the right
            offered.append((now, now))
        self.fields["visibility"].choices = offered  # type: ignore[attr-defined] # of a ChoiceField

    def clean_price(self) -> int:
        """Nano-dollars."""
        try:
            return money.parse(self.cleaned_data["price"])
        except MoneyInvalid as error:
            raise forms.ValidationError(error.message) from error

    @property
    def first_fields(self) -> list[forms.BoundField]:
        """What everybody looks at."""
        return [self[name] for name in ("name", "title", "notes", "price", "visibility", "percent")]

    @property
    def more_fields(self) -> list[forms.BoundField]:
        """What is written already."""
        return [self[name] for name in ("summary", "licence", "card")]

    @property
    def release(self) -> Release:
        """As chosen; the form must be valid."""
        given = {name: value for name, value in self.cleaned_data.items() if name != "price"}
        return Release(row_nanos=self.cleaned_data["price"], **given)

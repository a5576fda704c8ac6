"""What people choose for a run, and for the version that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import money
from billing.errors import MoneyInvalid
from marketplace.training.recipes.recipe import Knob

KNOB_WORDS = {
    "epochs": gettext_lazy("Epochs at most"),
    "units": gettext_lazy("Units of a layer"),
    "width": gettext_lazy("Numbers of a word's vector"),
    "blocks": gettext_lazy("Blocks"),
    "heads": gettext_lazy("Attention heads"),
    "filters": gettext_lazy("Filters of the first layer"),
    "dropout": gettext_lazy("Dropout"),
    "learning_rate": gettext_lazy("Learning rate"),
    "seed": gettext_lazy("Seed"),
}
PRICE_USD = "0.0001"  # of a row, at first
FOLDS = (("0", gettext_lazy("none")), ("3", gettext_lazy("3 parts")), ("5", gettext_lazy("5 parts")))


class RunForm(forms.Form):
    """How a recipe is run, and for how much; what is asked of the dataset is in asking.py."""

    use_required_attribute = False

    def __init__(self, data: Any, knobs: Mapping[str, Knob], second_nanos: int) -> None:
        super().__init__(data)
        self.second_nanos = second_nanos
        self.fields["budget_s"] = forms.IntegerField(
            label=_("Budget, in seconds of compute"),
            min_value=settings.TRAINING_LEAST_S,
            max_value=settings.TRAINING_MOST_S,
            initial=120,
            help_text=_("%(least)s to %(most)s; the best network that was found by then is yours.")
            % {"least": settings.TRAINING_LEAST_S, "most": settings.TRAINING_MOST_S},
        )
        self.fields["budget_usd"] = forms.CharField(
            label=_("Budget, in dollars"),
            required=False,
            help_text=_("Instead of seconds: as many as this pays for."),
        )
        self.fields["folds"] = forms.ChoiceField(label=_("Cross-validation"), choices=FOLDS, initial="0")
        for name, knob in knobs.items():
            told: dict[str, Any] = {
                "label": KNOB_WORDS.get(name, name),
                "initial": knob.default,
                "help_text": _("%(low)s to %(high)s") % {"low": f"{knob.low:.10g}", "high": f"{knob.high:.10g}"},
            }
            self.fields[f"knob_{name}"] = (
                forms.IntegerField(min_value=int(knob.low), max_value=int(knob.high), **told)
                if isinstance(knob.default, int)
                else forms.FloatField(min_value=knob.low, max_value=knob.high, **told)
            )
        self.knobs = list(knobs)

    def clean(self) -> dict[str, Any]:
        """Dollars, where they are given, decide how many seconds it is."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        dollars = str(cleaned.get("budget_usd") or "").strip()
        if dollars:
            self.errors.pop("budget_s", None)
            try:
                nanos = money.parse(dollars)
            except MoneyInvalid as error:
                self.add_error("budget_usd", error.message)
                return cleaned
            seconds = nanos // self.second_nanos if self.second_nanos else self.most_s
            if not self.least_s <= seconds <= self.most_s:
                least, most = (money.show(bound * self.second_nanos) for bound in (self.least_s, self.most_s))
                self.add_error("budget_usd", _("Give %(least)s to %(most)s.") % {"least": least, "most": most})
            cleaned["budget_s"] = seconds
        return cleaned

    @property
    def least_s(self) -> int:
        """The least budget."""
        return int(settings.TRAINING_LEAST_S)

    @property
    def most_s(self) -> int:
        """The highest budget."""
        return int(settings.TRAINING_MOST_S)

    @property
    def knob_fields(self) -> list[forms.BoundField]:
        """Of the recipe."""
        return [self[f"knob_{name}"] for name in self.knobs]

    @property
    def params(self) -> dict[str, Any]:
        """The recipe's parameters."""
        return {name: self.cleaned_data[f"knob_{name}"] for name in self.knobs}

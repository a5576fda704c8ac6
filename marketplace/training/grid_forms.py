"""What people choose for a search: several values of a knob instead of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _

from marketplace.training import searching
from marketplace.training.recipes.recipe import Knob
from marketplace.training.run_forms import RunForm

MOST_TEXT = 120  # characters of a field of values
EACH_S = 60  # of a run, at first


class Values(forms.CharField):
    """Numbers of a knob with commas or spaces between them, each once."""

    def __init__(self, field: forms.IntegerField | forms.FloatField) -> None:
        super().__init__(
            label=field.label,
            max_length=MOST_TEXT,
            initial=f"{field.initial:g}" if isinstance(field.initial, float) else str(field.initial),
            help_text=field.help_text,
        )
        self.one = field

    def clean(self, value: Any) -> list[Any]:
        """The numbers; each is checked as one alone would be."""
        written = str(super().clean(value)).replace(",", " ").replace(";", " ").split()
        return list(dict.fromkeys(self.one.clean(one) for one in written))


class SearchForm(RunForm):
    """A search on a dataset whose target is chosen already; the grid is in `grid` once it is valid."""

    def __init__(self, data: Any, knobs: Mapping[str, Knob], second_nanos: int) -> None:
        super().__init__(data, knobs, second_nanos)
        for name in self.knobs:
            field = self.fields[f"knob_{name}"]
            if isinstance(field, forms.IntegerField):
                self.fields[f"knob_{name}"] = Values(field)
        del self.fields["folds"]  # the validation split chooses
        self.runs = 1
        self.fields["budget_s"] = forms.IntegerField(
            label=_("Budget of all runs, in seconds of compute"),
            min_value=self.least_s,
            initial=4 * EACH_S,
            help_text=_("%(least)s to %(most)s for each run; what a run leaves goes to those after it.")
            % {"least": settings.TRAINING_LEAST_S, "most": settings.TRAINING_MOST_S},
        )

    def clean(self) -> dict[str, Any]:
        """The runs must be few enough, and the budget enough for them."""
        told = [self.cleaned_data.get(f"knob_{name}") for name in self.knobs]
        if all(told):
            self.runs = searching.size(self.grid)
        cleaned = super().clean()
        if self.runs > searching.MOST_RUNS:
            self.add_error(
                None,
                _("These values make %(count)s runs: choose fewer, at most %(most)s.")
                % {"count": self.runs, "most": searching.MOST_RUNS},
            )
        elif not self.errors and not self.least_s <= cleaned["budget_s"] <= self.most_s:
            self.add_error(
                "budget_s",
                _("%(count)s runs need %(least)s to %(most)s seconds.")
                % {"count": self.runs, "least": self.least_s, "most": self.most_s},
            )
        return cleaned

    @property
    def least_s(self) -> int:
        """The least budget of so many runs."""
        return int(settings.TRAINING_LEAST_S) * getattr(self, "runs", 1)

    @property
    def most_s(self) -> int:
        """The highest budget of so many runs."""
        return int(settings.TRAINING_MOST_S) * getattr(self, "runs", 1)

    @property
    def grid(self) -> dict[str, list[Any]]:
        """The values of each knob."""
        given = {name: self.cleaned_data[f"knob_{name}"] for name in self.knobs}
        return {name: value if isinstance(value, list) else [value] for name, value in given.items()}

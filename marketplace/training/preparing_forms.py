"""How people choose what becomes of raw data: the role of each column, and how it is made ready."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace.tasks import registry as tasks
from marketplace.training.recipes.datasets.profile import learnt_as
from marketplace.training.recipes.materials.choices import SIDES, Choices

IGNORE = ""
Column = dict[str, Any]  # of a profile
ROLES = {
    "number": gettext_lazy("number"),
    "category": gettext_lazy("category"),
    "text": gettext_lazy("text"),
    "date": gettext_lazy("date"),
    IGNORE: gettext_lazy("ignore"),
}
FILL = forms.ChoiceField(
    required=False,
    label=gettext_lazy("A missing number becomes"),
    choices=[
        ("median", gettext_lazy("the median")),
        ("mean", gettext_lazy("the mean")),
        ("most_frequent", gettext_lazy("the commonest")),
    ],
)
SCALE = forms.ChoiceField(
    required=False,
    label=gettext_lazy("Numbers are normalised"),
    choices=[
        ("standard", gettext_lazy("to mean 0 and deviation 1")),
        ("minmax", gettext_lazy("to 0 … 1")),
        ("none", gettext_lazy("not at all")),
    ],
)
TOKENS = forms.ChoiceField(
    required=False,
    label=gettext_lazy("Texts are read by"),
    choices=[("words", gettext_lazy("words")), ("characters", gettext_lazy("characters"))],
    help_text=gettext_lazy("Characters where words are not parted by spaces, or spelling matters."),
)
PIXELS = forms.ChoiceField(
    required=False,
    label=gettext_lazy("Colours are normalised"),
    choices=[("standard", gettext_lazy("to mean 0 and deviation 1")), ("none", gettext_lazy("not at all"))],
)
SIDE = forms.TypedChoiceField(
    required=False,
    coerce=int,
    label=gettext_lazy("Pixels of a side that are seen"),
    choices=[(side, side) for side in SIDES],
    initial=Choices().side,
    help_text=gettext_lazy("Twice as many take four times as long."),
)
AUGMENT = forms.MultipleChoiceField(
    required=False,
    label=gettext_lazy("While they are learnt from, pictures are at random"),
    choices=[
        ("flip", gettext_lazy("mirrored")),
        ("shift", gettext_lazy("shifted by a tenth")),
        ("turn", gettext_lazy("turned by up to 18 degrees")),
    ],
    widget=forms.CheckboxSelectMultiple,
)
GAPS = forms.BooleanField(
    label=gettext_lazy("A column of its own says where a number was missing"), required=False, initial=True
)
CLIP = forms.BooleanField(
    label=gettext_lazy("Outliers count as the 1st or 99th percentile"), required=False, initial=False
)
ONCE = forms.BooleanField(
    label=gettext_lazy("What is there twice is taken once, before the split"), required=False, initial=False
)
LOWER = forms.BooleanField(label=gettext_lazy("Capital letters are read as small ones"), required=False, initial=True)
# How raw data of each modality is made ready.
PREPARING: Mapping[str, Mapping[str, forms.Field]] = {
    "tabular": {"fill": FILL, "scale": SCALE, "gaps": GAPS, "clip": CLIP, "once": ONCE},
    "language": {"tokens": TOKENS, "lower": LOWER, "once": ONCE},
    "vision": {"side": SIDE, "scale": PIXELS, "augment": AUGMENT, "once": ONCE},
}
PLAIN = Choices()


class PreparingForm(forms.Form):
    """The roles of a table's columns, and how data is made ready."""

    use_required_attribute = False

    def __init__(self, data: Any, columns: list[Column], modality: str) -> None:
        super().__init__(data)
        self.columns = columns if modality == "tabular" else []
        for at, column in enumerate(self.columns):
            names = [role for role in ROLES if role in (*column.get("roles", [learnt_as(column["kind"])]), IGNORE)]
            self.fields[f"role_{at}"] = forms.ChoiceField(
                label=column["name"],
                choices=[(name, ROLES[name]) for name in names],
                initial=learnt_as(column["kind"]),
                required=False,
            )
        self.choices = PREPARING[modality]
        for name, field in self.choices.items():
            self.fields[name] = deepcopy(field)

    def clean(self) -> dict[str, Any]:
        """At least one column must be left."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.columns and not any(cleaned.get(f"role_{at}") for at in range(len(self.columns))):
            self.add_error(None, _("Choose at least one column to learn from."))
        return cleaned

    @property
    def role_fields(self) -> list[tuple[forms.BoundField, Column]]:
        """A field for each column."""
        return [(self[f"role_{at}"], column) for at, column in enumerate(self.columns)]

    @property
    def choice_fields(self) -> list[forms.BoundField]:
        """How data is made ready, what is chosen of several first."""
        return [self[name] for name in self.choices if not isinstance(self.fields[name], forms.BooleanField)]

    @property
    def switch_fields(self) -> list[forms.BoundField]:
        """How data is made ready, what is done or not."""
        return [self[name] for name in self.choices if isinstance(self.fields[name], forms.BooleanField)]

    @property
    def what(self) -> dict[str, Any]:
        """leave_out, roles and choices of recipes.recipe.TableWork, as far as they are not what is usual."""
        left_out, roles = [], {}
        for at, column in enumerate(self.columns):
            usual, role = learnt_as(column["kind"]), self.cleaned_data[f"role_{at}"]
            if role == IGNORE and usual:
                left_out.append(column["name"])
            elif role != usual:
                roles[column["name"]] = role
        given = {name: self.cleaned_data[name] for name in self.choices if self.cleaned_data[name] != ""}
        chosen = {
            name: value
            for name, value in given.items()
            if (tuple(value) if isinstance(value, list) else value) != getattr(PLAIN, name)
        }
        return {
            "leave_out": left_out,
            **({"roles": roles} if roles else {}),
            **({"choices": chosen} if chosen else {}),
        }


def shown(asked: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run's `asked` says of how its data is made ready, for people."""
    found = [(_("From what?"), asked["text"])] if asked.get("text") else []
    found += [(name, str(ROLES[role])) for name, role in asked.get("roles", {}).items()]
    modality = tasks.get(asked["task"]).modality
    for name, value in asked.get("choices", {}).items():
        field = PREPARING[modality][name]
        words = {str(one): str(word) for one, word in getattr(field, "choices", ())}
        told = {True: _("yes"), False: _("no")}.get(value) if isinstance(value, bool) else None
        several = value if isinstance(value, list) else [value]
        found.append((str(field.label), told or ", ".join(words.get(str(one), str(one)) for one in several)))
    return found

"""What a workspace changes about a model of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.prices.forms import SchemeForm
from billing.prices.quote import Scheme
from billing.prices.units import UNITS
from marketplace.catalog.models import Model, Version, Visibility
from marketplace.catalog.visibility import Reader, visible
from marketplace.tasks import registry

MOST_CARD = 60_000  # characters
MOST_WEIGHT = 10_000
_LANGUAGES = re.compile(r"^[a-z]{2,3}(-[a-z0-9]{2,8})*( [a-z]{2,3}(-[a-z0-9]{2,8})*)*$")


class DetailsForm(forms.ModelForm):  # type: ignore[type-arg] # generic for the type checker only
    """What the model's page says, and who sees it. `offered`: visibilities that the workspace may choose."""

    use_required_attribute = False

    card = forms.CharField(
        label=gettext_lazy("Model card"), required=False, max_length=MOST_CARD,
        widget=forms.Textarea(attrs={"rows": 14}),
        help_text=gettext_lazy("Markdown: what it is for, what it was measured on, where it fails."),
    )  # fmt: skip

    class Meta:
        model = Model
        fields = ("title", "summary", "visibility", "licence", "languages", "card")
        labels: ClassVar = {
            "title": gettext_lazy("Title"), "summary": gettext_lazy("Summary"), "licence": gettext_lazy("Licence"),
            "languages": gettext_lazy("Languages"), "visibility": gettext_lazy("Who sees it"),
        }  # fmt: skip
        widgets: ClassVar = {"summary": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, data: Any, model: Model, offered: list[tuple[str, str]]) -> None:
        super().__init__(data, instance=model)
        now = Visibility(model.visibility)
        kept = [] if any(value == now for value, _label in offered) else [(now.value, now.label)]
        self.fields["visibility"].choices = [*offered, *kept]  # type: ignore[attr-defined] # a ChoiceField

    def clean_languages(self) -> str:
        """Codes with spaces."""
        codes = " ".join(self.cleaned_data["languages"].lower().replace(",", " ").split())
        if codes and not _LANGUAGES.match(codes):
            raise forms.ValidationError(_("Write codes of languages with spaces between them: en zh"))
        return codes


class OwnPriceForm(SchemeForm):
    """The next price. `usual`: units that the model bills anyway, shown first."""

    starts_on = forms.DateField(
        label=gettext_lazy("From (UTC)"), required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Empty: as soon as may be. A rise of a model in use is announced first."),
    )  # fmt: skip
    confirmed = forms.BooleanField(label=gettext_lazy("I mean this price"), required=False)

    def __init__(self, data: Mapping[str, Any] | None, model: Model, scheme: Scheme) -> None:
        super().__init__(data, scheme=scheme)
        task = registry.get(model.task)
        self.usual = {"request", task.row_unit, *scheme.rates, *scheme.tiers}
        if task.streams:
            self.usual |= {"input_token", "output_token"}

    @property
    def first(self) -> Iterator[forms.BoundField]:
        """Units that this model bills anyway."""
        yield from (self[f"unit_{unit}"] for unit in UNITS if unit in self.usual)

    @property
    def others(self) -> Iterator[forms.BoundField]:
        """All other units, and the least."""
        yield from (self[f"unit_{unit}"] for unit in UNITS if unit not in self.usual)
        yield self["minimum"]

    @property
    def starts_at(self) -> datetime | None:
        """The first moment of the day."""
        day = self.cleaned_data["starts_on"]
        return datetime.combine(day, time(), UTC) if day else None


class VersionField(forms.ModelChoiceField):  # type: ignore[type-arg] # generic for the type checker only
    """Versions by their number."""

    def label_from_instance(self, obj: Version) -> str:
        return _("version %(number)s") % {"number": obj.number}


class RetireForm(forms.Form):
    """What goes, when, and what follows it."""

    use_required_attribute = False

    version = VersionField(
        queryset=Version.objects.none(), required=False, label=gettext_lazy("What goes"),
        empty_label=gettext_lazy("the whole model"),
    )  # fmt: skip
    ends_on = forms.DateField(
        label=gettext_lazy("Last day (UTC)"), widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Its users are told by mail now, and again a week before."),
    )  # fmt: skip
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=300, required=False)
    successor = forms.CharField(
        label=gettext_lazy("What follows it"), max_length=101, required=False, help_text="publisher/name"
    )

    def __init__(self, data: Any, model: Model, reader: Reader) -> None:
        super().__init__(data)
        self.reader = reader
        field = self.fields["version"]
        assert isinstance(field, VersionField)
        field.queryset = model.versions.exclude(pk=model.live_version_id).order_by("-number")

    def clean_successor(self) -> Model | None:
        """The model of that name, which the publisher sees too."""
        slug = self.cleaned_data["successor"].strip()
        publisher, _slash, name = slug.partition("/")
        found = visible(self.reader).filter(publisher__slug=publisher, name=name).first() if slug else None
        if slug and found is None:
            raise forms.ValidationError(_("There is no model of this name."))
        return found

    @property
    def ends_at(self) -> datetime:
        """The end of the last day."""
        return datetime.combine(self.cleaned_data["ends_on"], time(23, 59, 59), UTC)


class SharesForm(forms.Form):
    """How the calls are shared among the newest versions; all empty: the live version answers."""

    use_required_attribute = False

    def __init__(self, data: Any, versions: list[Version], weights: Mapping[int, int], live: str | None) -> None:
        super().__init__(data)
        for version in versions:
            label = _("Version %(number)s (live)") if version.pk == live else _("Version %(number)s")
            self.fields[f"weight_{version.number}"] = forms.IntegerField(
                label=label % {"number": version.number}, min_value=0, max_value=MOST_WEIGHT, required=False,
                initial=weights.get(version.number),
            )  # fmt: skip

    @property
    def weights(self) -> dict[int, int]:
        """Version → weight, of those that are given one."""
        given = {int(name.removeprefix("weight_")): weight for name, weight in self.cleaned_data.items()}
        return {number: weight for number, weight in given.items() if weight}

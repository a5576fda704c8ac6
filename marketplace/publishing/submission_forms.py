"""What publishers say of a model that they submit, and how it shall be published."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.errors import MoneyInvalid
from billing.prices import scrutiny
from billing.prices.quote import Scheme
from marketplace.catalog.models import NAME
from marketplace.errors import SubmissionInvalid
from marketplace.publishing import examples, particulars
from marketplace.publishing.imports import scheme_of
from marketplace.publishing.submitting import WORDS
from marketplace.tasks import registry

MOST_CARD, MOST_LABELS = 40_000, 1_000
PRICE_HELP = gettext_lazy(
    "One a line, like row=0.0002 or output_token=0.60 (a million). Empty: what was agreed before, or free."
)


def _tasks() -> list[tuple[str, str]]:
    return [(name, _(registry.get(name).title)) for name in registry.TASKS]


def priced(lines: str) -> Scheme | None:
    """The price of a field's lines. Raises ValidationError."""
    try:
        scheme = scheme_of(lines)
        if scheme is not None:
            scrutiny.check(scheme)
    except MoneyInvalid as error:
        raise forms.ValidationError(error.message) from error
    return scheme


class WordsForm(forms.Form):
    """What can be changed until the model is published."""

    use_required_attribute = False

    title = forms.CharField(label=gettext_lazy("Title"), max_length=120, required=False)
    summary = forms.CharField(
        label=gettext_lazy("Summary"),
        max_length=300,
        required=False,
        help_text=gettext_lazy("One sentence, for the catalog."),
    )
    licence = forms.CharField(
        label=gettext_lazy("Licence"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("Its name in the SPDX list, like Apache-2.0, MIT or CC-BY-4.0."),
    )
    price = forms.CharField(
        label=gettext_lazy("Price"),
        max_length=2_000,
        required=False,
        widget=forms.Textarea({"rows": 2}),
        help_text=PRICE_HELP,
    )
    notes = forms.CharField(
        label=gettext_lazy("What changed"), max_length=2_000, required=False, widget=forms.Textarea({"rows": 2})
    )
    card = forms.CharField(
        label=gettext_lazy("Model card"),
        max_length=MOST_CARD,
        required=False,
        strip=False,
        initial=particulars.TEMPLATE,
        widget=forms.Textarea({"rows": 12}),
        help_text=gettext_lazy("Markdown. Keep the three headings and say a sentence or two under each."),
    )

    def clean_price(self) -> str:
        """The lines, which are a price."""
        lines: str = self.cleaned_data["price"]
        priced(lines)
        return lines

    @property
    def words(self) -> dict[str, str]:
        """By the names that a submission has for them."""
        return {name: self.cleaned_data[name].replace("\r\n", "\n") for name in WORDS}


class SubmissionForm(WordsForm):
    """All of it, beside the file itself."""

    model = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=60,
        validators=[NAME],
        help_text=gettext_lazy(
            "Lower-case, in your own namespace. The name of a model you have makes this its next version."
        ),
    )
    task = forms.ChoiceField(label=gettext_lazy("Task"), choices=_tasks)
    labels = forms.CharField(
        label=gettext_lazy("Labels"),
        max_length=60_000,
        required=False,
        widget=forms.Textarea({"rows": 2}),
        help_text=gettext_lazy(
            "Of a classifier that does not name them itself: one a line, in the order of its scores."
        ),
    )
    golden = forms.FileField(
        label=gettext_lazy("Examples with known answers"),
        required=False,
        help_text=gettext_lazy(
            "CSV with the columns input and expected, or JSONL. The first few show the model at work. A version that answers them worse than the one before it is not published. Without a file, the last version’s examples are asked."
        ),
    )
    field_order = ["model", "task", "title", "summary", "licence", "price", "notes", "card", "labels", "golden"]

    def clean_labels(self) -> list[str]:
        """One a line."""
        found = [line.strip() for line in self.cleaned_data["labels"].splitlines() if line.strip()]
        if len(found) > MOST_LABELS or len(set(found)) < len(found) or any(len(one) > 100 for one in found):
            raise forms.ValidationError(
                _("Give at most %(most)s labels of at most 100 characters, each once.") % {"most": MOST_LABELS}
            )
        return found

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        file = given.get("golden")
        given["examples"] = []
        if isinstance(file, UploadedFile) and "task" in given:
            try:
                data = file.read(examples.MOST_BYTES + 1)
                given["examples"] = examples.read(file.name or "", data, registry.get(given["task"]))
            except SubmissionInvalid as problem:
                self.add_error("golden", problem.message)
        return given

    @property
    def told(self) -> dict[str, Any]:
        """As `submitting.begin` takes it."""
        given = self.cleaned_data
        words = self.words
        words["title"] = words["title"] or given["model"].replace("-", " ").capitalize()
        return {
            "name": given["model"],
            "task": given["task"],
            "labels": given["labels"],
            "golden": given["examples"],
            **words,
        }

    @property
    def first_error(self) -> tuple[str, str]:
        """Field and sentence, for who cannot show them all."""
        name, errors = next(iter(self.errors.items()))
        label = self.fields[name].label if name in self.fields else ""
        return name, f"{label}: {errors[0]}" if label else str(errors[0])


class PublishForm(forms.Form):
    """How a submission that passed is published."""

    use_required_attribute = False

    visibility = forms.ChoiceField(label=gettext_lazy("Who sees it"), choices=())
    price = forms.CharField(
        label=gettext_lazy("Price"),
        max_length=2_000,
        required=False,
        widget=forms.Textarea({"rows": 2}),
        help_text=PRICE_HELP,
    )
    percent = forms.IntegerField(
        label=gettext_lazy("Share of the calls, in percent"),
        min_value=1,
        max_value=100,
        initial=100,
        required=False,
        help_text=gettext_lazy("Less than 100 tries it on some calls first; the version before it answers the others."),
    )
    confirmed = forms.BooleanField(label=gettext_lazy("The unusual price is meant"), required=False)

    def __init__(
        self, *args: Any, offered: list[tuple[str, str]], next_one: bool, unusual: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["visibility"].choices = offered  # type: ignore[attr-defined] # of a choice's field
        if not next_one:
            del self.fields["percent"]
        if not unusual:
            self.fields["confirmed"].widget = forms.HiddenInput()

    def clean_price(self) -> Scheme | None:
        """The price; None where there is none."""
        return priced(self.cleaned_data["price"])

"""The form of an upload."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.golden.sets import MOST_NAME, judged
from marketplace.tasks import registry


class GoldenSetForm(forms.Form):
    """A file, the task of its examples, and a name, which is the file's where none is given."""

    task = forms.ChoiceField(label=gettext_lazy("Task"))
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=MOST_NAME, required=False, help_text=gettext_lazy("Empty: the file's.")
    )
    file = forms.FileField(
        label=gettext_lazy("CSV or JSONL"),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.jsonl,.ndjson"}),
        help_text=gettext_lazy("One example a line, with its “input” and what is “expected”."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(name, _(registry.get(name).title)) for name in judged()]
        self.fields["task"].choices = choices  # type: ignore[attr-defined] # a ChoiceField

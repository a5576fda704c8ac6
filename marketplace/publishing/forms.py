"""The console's form that asks for an import."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from marketplace.publishing import imports
from marketplace.publishing.importing import LOCAL, SHUT_IN, UPSTREAM
from marketplace.publishing.models import Import
from marketplace.tasks import registry
from portal.kit.errors import Problem

ENGINES = (
    (LOCAL, _("TensorFlow, here: a folder, a .keras file or hf://organisation/name")),
    (SHUT_IN, _("A process of its own behind walls: the same, made by strangers")),
    (UPSTREAM, _("An OpenAI-compatible server")),
    ("oip", _("An Open Inference Protocol server")),
    ("ray", _("Ray Serve")),
)
ORDER = (
    "slug", "task", "engine", "source", "upload", "upstream_model", "upstream_key_env", "max_output_tokens", "price", "confirmed",
)  # fmt: skip


class ImportForm(forms.ModelForm):  # type: ignore[type-arg] # generic for the type checker only
    """What to bring in, from where, and its price."""

    task = forms.ChoiceField(
        label=_("Task"), choices=[(name, name) for name in registry.TASKS], widget=UnfoldAdminSelectWidget
    )
    engine = forms.ChoiceField(label=_("Where it runs"), choices=ENGINES, widget=UnfoldAdminSelectWidget)
    source = forms.CharField(
        label=_("Source"),
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text=_(
            "A SavedModel, KerasHub or Hugging Face folder, a .keras file or an archive on the server, hf://organisation/name, or an address."
        ),
    )
    upload = forms.FileField(
        label=_("Or a file"),
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text=_("A .keras file, or a .zip, .tar or .tar.gz of a folder."),
    )
    upstream_model = forms.CharField(
        label=_("The upstream's name for it"), required=False, widget=UnfoldAdminTextInputWidget
    )
    upstream_key_env = forms.CharField(
        label=_("Variable with the upstream's key"), required=False, widget=UnfoldAdminTextInputWidget
    )
    max_output_tokens = forms.IntegerField(
        label=_("Output tokens at most"), required=False, min_value=1, widget=UnfoldAdminIntegerFieldWidget
    )
    price = forms.CharField(
        label=_("Price"),
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
        help_text=_("One a line, like output_token=0.25. Empty: the model's price stays; a new model is free."),
    )

    class Meta:
        model = Import
        fields: ClassVar[list[str]] = ["slug", "task", "engine", "source", "price", "confirmed"]

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if not self.errors:
            try:
                imports.check(given["slug"], given["task"], given["price"])
                imports.check_upload(given["source"], given["upload"], given["engine"])
            except Problem as problem:
                field = {"name": "slug"}.get(problem.param or "", problem.param)
                self.add_error(field if field in self.fields else "price", problem.message)
        return given

    def save(self, commit: bool = True) -> Import:
        options = ("upstream_model", "upstream_key_env", "max_output_tokens")
        self.instance.options = {name: self.cleaned_data[name] for name in options if self.cleaned_data[name]}
        if self.cleaned_data["upload"]:
            imports.keep_upload(self.instance, self.cleaned_data["upload"])
        saved: Import = super().save(commit)
        return saved

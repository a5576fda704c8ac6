"""The form of a key: what people write, as /v1/keys would be given it. What may be is decided in key_limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.gate.models import Period
from billing.gate.standing import Standing
from portal.accounts.keys.models import KeyKind, default_scopes
from portal.accounts.keys.scopes import checked_models, checked_networks
from portal.accounts.models import Key
from portal.kit.errors import Problem
from portal.pages.key_limits import LARGEST, NUMBERS, amount

_NO_LIMIT = _("0 or empty: no limit.")
_SCOPES = (
    ("inference", _("Call models")),
    ("usage", _("Read what was used")),
    ("training", _("Train models")),
    ("keys", _("Make, change and revoke keys, and manage webhooks")),
)
_KINDS = (
    (KeyKind.LIVE.value, _("Live: calls models and spends the budget")),
    (KeyKind.TEST.value, _("Test: answers are made up, always the same, and free")),
)


class KeyForm(forms.Form):
    """Name, limits and caps. Only the name must be given: a form without `kind` is the short one."""

    use_required_attribute = False

    name = forms.CharField(label=_("Name"), required=False, max_length=None)
    kind = forms.ChoiceField(label=_("Kind"), choices=_KINDS, required=False, widget=forms.RadioSelect)
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"), choices=_SCOPES, required=False, widget=forms.CheckboxSelectMultiple
    )
    models = forms.CharField(
        label=_("Models"),
        required=False,
        help_text=_("One a line: publisher/name, or publisher/* for all of a publisher. Empty: every model."),
    )
    networks = forms.CharField(
        label=_("Networks"),
        required=False,
        help_text=_("Where it opens from, one a line, like 192.0.2.0/24. Empty: from anywhere."),
    )
    expires = forms.DateField(
        label=_("Last day"),
        required=False,
        input_formats=["%Y-%m-%d"],
        help_text=_("It works until this day ends in UTC. Empty: until it is revoked."),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    rpm = forms.IntegerField(label=_("Requests a minute"), required=False, min_value=0, max_value=LARGEST)
    tpm = forms.IntegerField(label=_("Tokens a minute"), required=False, min_value=0, max_value=LARGEST)
    concurrency = forms.IntegerField(label=_("Requests at once"), required=False, min_value=0, max_value=LARGEST)
    cap_day = forms.CharField(label=_("Dollars a day"), required=False)
    cap_week = forms.CharField(label=_("Dollars a week"), required=False)
    cap_month = forms.CharField(label=_("Dollars a month"), required=False)
    cap_total = forms.CharField(label=_("Dollars in all"), required=False)

    def __init__(self, *args: Any, key: Key | None = None, caps: list[Standing] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ends = _last_day(key.expires_at) if key and key.expires_at else None
        if key is not None:
            del self.fields["kind"]
        self.initial = {**(_new() if key is None else _shown(key, caps or [])), "expires": self._ends, **self.initial}
        for name in NUMBERS:
            self.fields[name].help_text = _NO_LIMIT
        for name in ("models", "networks"):
            self.fields[name].widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})
        for name in self.caps:
            self.fields[name].widget.attrs.update({"inputmode": "decimal", "placeholder": _("no cap")})

    caps = tuple(f"cap_{period}" for period in Period.values)

    @property
    def opened(self) -> bool:
        """Whether more than the name needs a look."""
        return any(field != "name" for field in self.errors)

    def given(self) -> dict[str, Any]:
        """The valid form as /v1/keys takes it."""
        data = self.cleaned_data
        given: dict[str, Any] = {"name": data["name"]}
        if "kind" in self.fields and "kind" not in self.data:
            return given
        given |= {name: data[name] or 0 for name in NUMBERS}
        given |= {name: data[name] for name in ("scopes", "models", "networks")}
        given["caps"] = {period: data[f"cap_{period}"] or None for period in Period.values}
        if data.get("kind") == KeyKind.TEST:
            given["test"] = True
        if data["expires"] != self._ends:
            given["expires_at"] = _end_of(data["expires"]).isoformat() if data["expires"] else None
        return given

    def refused(self, problem: Problem) -> None:
        """Puts what key_limits said beside its field."""
        name = (problem.param or "").lstrip("/").replace("caps/", "cap_").replace("expires_at", "expires")
        self.add_error(name if name in self.fields else None, problem.message)

    def clean_models(self) -> list[str]:
        return _by(checked_models, _listed(self.cleaned_data["models"]))

    def clean_networks(self) -> list[str]:
        return _by(checked_networks, _listed(self.cleaned_data["networks"]))

    def clean(self) -> None:
        for period in Period.values:
            text = str(self.cleaned_data.get(f"cap_{period}") or "").lstrip("$").strip()
            self.cleaned_data[f"cap_{period}"] = text
            if text:
                try:
                    amount(text, period)
                except Problem as problem:
                    self.refused(problem)


def _new() -> dict[str, Any]:
    """What the form of a new key begins with."""
    rpm = Key._meta.get_field("rpm").default
    return {"kind": KeyKind.LIVE.value, "scopes": default_scopes(), "rpm": rpm, "tpm": 0, "concurrency": 0}


def _shown(key: Key, caps: list[Standing]) -> dict[str, Any]:
    """What the form of this key begins with."""
    return {
        **{name: getattr(key, name) for name in ("name", "scopes", *NUMBERS)},
        "models": "\n".join(key.allowed_models),
        "networks": "\n".join(key.networks),
        **{f"cap_{cap.period}": money.decimal(cap.limit_nanos) for cap in caps},
    }


def _by(rule: Callable[[list[str]], list[str]], values: list[str]) -> list[str]:
    try:
        return rule(values)
    except Problem as problem:
        raise ValidationError(problem.message) from problem


def _listed(text: str) -> list[str]:
    return [part for part in re.split(r"[\s,;]+", text) if part]


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def _last_day(moment: datetime) -> date:
    return (moment.astimezone(UTC) - timedelta(microseconds=1)).date()

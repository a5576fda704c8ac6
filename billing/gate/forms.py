"""The form of a budget: what people write. What may be is decided in budgets.py."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import money
from billing.gate.budgets import Wish
from billing.gate.models import Budget, Period, default_thresholds
from portal.accounts.keys.models import KeyKind
from portal.accounts.models import Key, Membership, Workspace
from portal.kit.errors import Problem

MOST_CHOICES = 500  # keys or members


class BudgetForm(forms.Form):
    """Name, for whom, period, amount, whether it stops, when it tells."""

    use_required_attribute = False

    name = forms.CharField(
        label=gettext_lazy("Name"), required=False, max_length=80, help_text=gettext_lazy("As alerts call it.")
    )
    whom = forms.ChoiceField(label=gettext_lazy("For"))
    period = forms.ChoiceField(
        label=gettext_lazy("Period"),
        choices=[(Period.DAY, Period.DAY.label), (Period.WEEK, Period.WEEK.label), (Period.MONTH, Period.MONTH.label), (Period.TOTAL, Period.TOTAL.label)],
        initial=Period.MONTH,
        help_text=gettext_lazy("Days, weeks from Monday and months are counted in UTC."),
    )  # fmt: skip
    amount = forms.CharField(label=gettext_lazy("Dollars"), widget=forms.TextInput(attrs={"inputmode": "decimal"}))
    stops = forms.ChoiceField(
        label=gettext_lazy("When it is spent"),
        choices=[
            ("no", gettext_lazy("Only tell: requests go on")),
            ("yes", gettext_lazy("Stop: what does not fit is refused")),
        ],
        initial="no",
        widget=forms.RadioSelect,
    )
    thresholds = forms.CharField(
        label=gettext_lazy("Tell at, in per cent"),
        required=False,
        help_text=gettext_lazy("By mail to owners and administrators, and to webhooks; each once a period."),
    )

    def __init__(self, *args: Any, workspace: Workspace, budget: Budget | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        whom = self.fields["whom"]
        assert isinstance(whom, forms.ChoiceField)
        whom.choices = _whom(workspace, budget)
        self.fields["thresholds"].initial = ", ".join(map(str, default_thresholds()))
        if budget is not None:
            self.initial = {
                "name": budget.name,
                "whom": _said(budget),
                "period": budget.period,
                "amount": money.decimal(budget.limit_nanos),
                "stops": "yes" if budget.stops else "no",
                "thresholds": ", ".join(map(str, budget.thresholds)),
            }

    def clean_thresholds(self) -> tuple[int, ...]:
        words = [word for word in re.split(r"[\s,;%]+", self.cleaned_data["thresholds"]) if word]
        if not all(word.isascii() and word.isdecimal() and len(word) < 6 for word in words):
            raise ValidationError(_("Write whole numbers with commas between, like 50, 80, 100."))
        return tuple(int(word) for word in words)

    def wish(self) -> Wish:
        """The valid form."""
        data = self.cleaned_data
        kind, _sign, who = data["whom"].partition(":")
        return Wish(
            period=data["period"],
            amount=data["amount"].strip().lstrip("$"),
            stops=data["stops"] == "yes",
            thresholds=data["thresholds"],
            name=data["name"],
            key_id=who if kind == "key" else "",
            member_id=int(who) if kind == "member" else None,
        )

    def refused(self, problem: Problem) -> None:
        """Puts what budgets.py said beside its field."""
        name = {"for": "whom"}.get(field := (problem.param or "").lstrip("/"), field)
        self.add_error(name if name in self.fields else None, problem.message)


def _said(budget: Budget) -> str:
    return (
        f"key:{budget.key_id}" if budget.key_id else f"member:{budget.member_id}" if budget.member_id else "workspace"
    )


def _whom(workspace: Workspace, budget: Budget | None) -> list[Any]:
    members = Membership.objects.filter(workspace=workspace).select_related("user").order_by("pk")[:MOST_CHOICES]
    keys = Key.objects.filter(workspace=workspace, revoked_at=None).exclude(kind=KeyKind.EPHEMERAL)
    of_members = [(f"member:{one.user_id}", one.user.name or one.user.email) for one in members]
    of_keys = [(f"key:{key.pk}", str(key)) for key in keys.order_by("-created_at")[:MOST_CHOICES]]
    if budget is not None and budget.key is not None and budget.key.revoked_at is not None:
        of_keys.append((f"key:{budget.key_id}", str(budget.key)))
    return [
        ("workspace", _("The whole workspace")),
        (_("All keys of a member"), of_members),
        (_("A key"), of_keys),
    ]

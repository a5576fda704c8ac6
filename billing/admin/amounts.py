"""Numbers in the console's forms: people write dollars and percent, rows hold whole nano-dollars, cents, hundredths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Field
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from billing import money
from billing.prices import notation
from portal.kit.errors import Problem


class WrittenField(forms.Field):
    """What people write, kept as a whole number: `read` raises a Problem for what it cannot read, `write` is its other way."""

    widget = UnfoldAdminTextInputWidget

    def __init__(self, read: Callable[[str], int], write: Callable[[int], str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._read, self._write = read, write

    def prepare_value(self, value: Any) -> Any:
        return self._write(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        try:
            return self._read(value)
        except Problem as problem:
            raise ValidationError(problem.message) from problem


class DollarsField(WrittenField):
    """Dollars with up to nine decimals; its value is nano-dollars. Negative, endless and other texts are refused."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(notation.amount, money.decimal, **kwargs)


class InDollars(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    """An editable table whose `*_nanos` are written in dollars."""

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name.endswith("_nanos"):
            label = capfirst(_("%(what)s, in dollars") % {"what": db_field.verbose_name})
            return DollarsField(label=label, help_text=db_field.help_text, required=not db_field.blank)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

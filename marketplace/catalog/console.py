"""The operators' console takes models and versions down here, and lifts that."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from marketplace.catalog import takedowns
from marketplace.catalog.models import TakeDown
from portal.accounts.models import User

_ASKED = ("model", "version", "category", "reason", "note")
_KEPT = (*_ASKED, "taken_at", "taken_by", "told_at", "lifted_at", "lifted_by", "lifted_why")


class TakeDownForm(forms.ModelForm):  # type: ignore[type-arg] # stubs want the model twice
    """What is taken down, and why."""

    class Meta:
        model = TakeDown
        fields = _ASKED

    def clean(self) -> dict[str, Any]:
        """Says what `take_down` would refuse, beside its field."""
        given = super().clean() or {}
        if not self.errors:
            try:
                takedowns.check(given["model"], given.get("version"), given["reason"])
            except takedowns.TakeDownInvalid as problem:
                self.add_error(problem.param, problem.message)
        return given


class LiftForm(forms.ModelForm):  # type: ignore[type-arg] # as above
    """Why it is put back."""

    why = forms.CharField(
        label=_("Lift it, because"), max_length=300, widget=UnfoldAdminTextInputWidget,
        help_text=_("Saving puts it back at once; who was told that it was taken down is told so."),
    )  # fmt: skip

    class Meta:
        model = TakeDown
        fields = ()


@admin.register(TakeDown)
class TakeDownAdmin(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    """Records: the only thing that is ever changed is that one is lifted."""

    list_display = ("model", "version", "category", "reason", "taken_at", "taken_by", "lifted_at")
    list_filter = ("category", ("lifted_at", admin.EmptyFieldListFilter))
    list_select_related = ("model__publisher", "version__model__publisher", "taken_by")
    search_fields = ("model__name", "model__publisher__slug", "reason")
    ordering = ("-taken_at",)
    autocomplete_fields = ("model", "version")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **kwargs | {"form": LiftForm if obj else TakeDownForm})

    def get_fields(self, request: HttpRequest, obj: TakeDown | None = None) -> tuple[str, ...]:
        if obj is None:
            return _ASKED
        return (*_KEPT, "why") if obj.lifted_at is None else _KEPT

    def get_readonly_fields(self, request: HttpRequest, obj: TakeDown | None = None) -> tuple[str, ...]:
        return _KEPT if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: TakeDown | None = None) -> bool:
        lifted = obj is not None and obj.lifted_at is not None
        return not lifted and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: TakeDown | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: TakeDown, form: Any, change: bool) -> None:
        assert isinstance(request.user, User)  # staff are signed in
        now = timezone.now()
        if change:
            takedowns.lift(obj, request.user, form.cleaned_data["why"], now)
            return
        made = takedowns.take_down(obj.model, obj.version, obj.category, obj.reason, request.user, now, obj.note)
        obj.pk, obj._state.adding = made.pk, False

"""The operators' console: applications are decided here, each with a reason; acceptances are for reading."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from marketplace.publishers import applying
from marketplace.publishers.models import Acceptance, Application, ApplicationState
from portal.accounts.models import User
from portal.kit.errors import Problem


class DecisionForm(forms.ModelForm):  # type: ignore[type-arg] # stubs want the model twice
    """What an operator decides, and why."""

    decision = forms.ChoiceField(label=_("Decision"), choices=(), widget=UnfoldAdminSelectWidget)
    why = forms.CharField(
        label=_("Why"), max_length=500, required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("The publisher reads it. A refusal and an end need one."),
    )  # fmt: skip

    class Meta:
        model = Application
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        after = applying.TRANSITIONS.get(ApplicationState(self.instance.state), {})
        choices = [("", "–"), *((to.value, to.label) for to in applying.DECISIONS if to in after)]
        if "decision" in self.fields:
            self.fields["decision"].choices = choices  # type: ignore[attr-defined] # a ChoiceField

    def clean(self) -> dict[str, Any]:
        """Says what `applying.decide` would refuse, beside its field."""
        given = super().clean() or {}
        to = given.get("decision")
        after = applying.TRANSITIONS.get(ApplicationState(self.instance.state), {})
        if to and after.get(ApplicationState(to)) and not given.get("why", "").strip():
            self.add_error("why", _("Give the reason: the publisher reads it."))
        return given


@admin.register(Application)
class ApplicationAdmin(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    """Who wants to sell."""

    form = DecisionForm
    list_display = ("workspace", "state", "contact", "site", "applied_at", "decided_at", "decided_by")
    list_filter = ("state",)
    list_select_related = ("workspace", "decided_by")
    search_fields = ("workspace__slug", "workspace__name", "contact")
    ordering = ("-applied_at",)
    actions = ("approve",)
    said = (
        "workspace", "state", "about", "site", "contact", "sells", "applied_by", "applied_at",
        "decided_by", "decided_at", "reason",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Application | None = None) -> tuple[str, ...]:
        return self.said

    def get_fields(self, request: HttpRequest, obj: Application | None = None) -> tuple[str, ...]:
        open_still = obj is not None and ApplicationState(obj.state) in applying.TRANSITIONS
        return (*self.said, "decision", "why") if open_still else self.said

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # workspaces apply

    def has_delete_permission(self, request: HttpRequest, obj: Application | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Application | None = None) -> bool:
        decided = obj is not None and ApplicationState(obj.state) not in applying.TRANSITIONS
        return not decided and bool(super().has_change_permission(request, obj))

    def save_model(self, request: HttpRequest, obj: Application, form: DecisionForm, change: bool) -> None:
        given = form.cleaned_data
        assert isinstance(request.user, User)  # staff are signed in
        try:
            applying.decide(obj, ApplicationState(given["decision"]), request.user, given["why"], timezone.now())
        except Problem as problem:
            self.message_user(request, problem.message, "error")

    @admin.action(description=_("Approve"), permissions=["change"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Application]) -> None:
        assert isinstance(request.user, User)
        for one in queryset.select_related("workspace"):
            try:
                applying.decide(one, ApplicationState.APPROVED, request.user, "", timezone.now())
            except Problem as problem:
                self.message_user(request, f"{one.workspace.slug}: {problem.message}", "error")
            else:
                self.log_change(request, one, str(ApplicationState.APPROVED.label))


@admin.register(Acceptance)
class AcceptanceAdmin(ModelAdmin):  # type: ignore[misc] # as above
    """Who accepted which terms."""

    list_display = ("workspace", "version", "email", "accepted_at")
    list_filter = ("version",)
    list_select_related = ("workspace",)
    search_fields = ("workspace__slug", "email")
    ordering = ("-accepted_at",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Acceptance | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Acceptance | None = None) -> bool:
        return False

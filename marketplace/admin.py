"""The catalog in the operators' console."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from billing.prices import book
from billing.prices.quote import FREE
from marketplace.catalog import console as _take_downs  # noqa: F401 – registers itself
from marketplace.catalog import retiring
from marketplace.catalog.forms import RetirementForm
from marketplace.jobs import bring_in_models
from marketplace.models import Evidence, Import, Model, Retirement, Review, Run, Split, Submission, Version
from marketplace.publishers import console as _applications  # noqa: F401 – registers itself
from marketplace.publishing import forms
from marketplace.reviews import reviewing
from marketplace.training import runs, seeds

LINK = "text-primary-600 dark:text-primary-500 underline"  # unfold's


class SplitForms(BaseInlineFormSet):  # type: ignore[type-arg] # generic for the type checker only
    """Shares of one model's versions."""

    def clean(self) -> None:
        super().clean()
        kept = [form.cleaned_data for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        if kept and not any(row.get("weight") for row in kept):
            raise ValidationError(_("Give at least one version a weight, or delete all shares."))


class SplitInline(TabularInline):  # type: ignore[misc] # unfold publishes no types
    """A new version on a share of the calls; without rows the live version answers all."""

    model = Split
    formset = SplitForms
    extra = 0
    verbose_name_plural = _("splits: calls are shared in proportion to the weights, within a second of saving")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "version" and request.resolver_match is not None:
            model_id = unquote(request.resolver_match.kwargs.get("object_id", ""))
            kwargs["queryset"] = Version.objects.filter(model=model_id).select_related("model__publisher")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Model)
class ModelAdminPage(ModelAdmin):  # type: ignore[misc] # as above
    list_display = ("slug", "title", "task", "visibility", "live_version", "price_label", "created_at")
    list_filter = ("task", "visibility")
    search_fields = ("name", "title", "publisher__slug")
    list_select_related = ("publisher", "live_version__model__publisher")
    readonly_fields = ("id", "publisher", "name", "task", "price_label", "live_version", "live_figures", "created_at")
    inlines = (SplitInline,)
    actions = ("train_starters",)

    @admin.action(description=_("Train these starters"))
    def train_starters(self, request: HttpRequest, queryset: QuerySet[Model]) -> None:
        """Queues a run of each; the next free trainer takes it."""
        for model in queryset.select_related("publisher"):
            try:
                run = seeds.train_starter(model)
            except KeyError:
                messages.error(request, _("%(model)s is no starter model.") % {"model": model.slug})
            else:
                messages.success(
                    request, _("%(model)s is %(state)s.") % {"model": model.slug, "state": run.get_state_display()}
                )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # `manage.py add_model` inspects what it adds

    @admin.display(description=_("price"))
    def price_label(self, row: Model) -> str:
        price = book.current(row.pk)
        return book.label(price.scheme if price else FREE)

    @admin.display(description=_("live figures"))
    def live_figures(self, row: Model) -> str:
        splits, page = reverse("admin:marketplace_split_changelist"), reverse("model", args=row.slug.split("/"))
        return format_html(
            '<a class="{}" href="{}?model__id__exact={}">{}</a> · <a class="{}" href="{}">{}</a> · <a class="{}" href="{}?model={}">{}</a>',
            LINK, splits, row.pk, _("by version, while calls are shared"), LINK, page, _("the model's page"),
            LINK, reverse("admin:marketplace_takedown_add"), row.pk, _("take it down"),
        )  # fmt: skip


class ReadOnly(ModelAdmin):  # type: ignore[misc] # as above
    """For reading only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Version)
class VersionAdmin(ReadOnly):
    list_display = ("model", "number", "engine", "source", "created_at")
    list_filter = ("engine",)
    search_fields = ("model__name",)


@admin.register(Run)
class RunAdmin(ReadOnly):
    list_display = ("model", "recipe", "state", "attempts", "started_at", "ended_at", "error")
    list_filter = ("state", "recipe")
    actions = ("train_again",)

    @admin.action(description=_("Train again"))
    def train_again(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        for run in queryset:
            if run.model is not None and run.workspace_id is None:
                runs.queue(run.model, run.recipe, run.dataset, run.params)


@admin.register(Import)
class ImportAdmin(ReadOnly):
    """Brings a model in, as `manage.py add_model` does; a worker reads it, and its row tells how far that is."""

    list_display = ("slug", "task", "engine", "state", "version", "error", "created_at")
    list_filter = ("state", "engine")
    search_fields = ("slug", "source")
    list_select_related = ("version__model__publisher",)
    exclude = ("leased_until",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("marketplace.add_import"))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **kwargs | ({} if obj else {"form": forms.ImportForm}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fields(request, obj) if obj else forms.ORDER

    def save_model(self, request: HttpRequest, obj: Import, form: Any, change: bool) -> None:
        obj.asked_by = request.user  # type: ignore[assignment] # staff are signed in
        super().save_model(request, obj, form, change)
        transaction.on_commit(bring_in_models.delay)


class EvidenceInline(TabularInline):  # type: ignore[misc] # as above
    model = Evidence
    extra = 0
    fields = readonly_fields = ("check_name", "status", "figure", "values", "made_at")
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Submission)
class SubmissionAdmin(ReadOnly):
    """What publishers sent, and what the gate found."""

    list_display = ("name", "workspace", "task", "state", "version", "attempts", "created_at")
    list_filter = ("state", "task")
    search_fields = ("name", "workspace__slug")
    list_select_related = ("workspace", "version__model__publisher")
    exclude = ("golden", "leased_until")
    inlines = (EvidenceInline,)


@admin.register(Review)
class ReviewAdmin(ReadOnly):
    """What people say; an operator hides what breaks the rules, and changes no word."""

    list_display = ("model", "stars", "text", "author", "hidden", "changed_at")
    list_filter = ("hidden", "stars")
    search_fields = ("text", "model__name", "author__email")
    list_select_related = ("model__publisher", "author")
    actions = ("hide", "show")

    @admin.action(description=_("Hide"))
    def hide(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        reviewing.hide(queryset, True)

    @admin.action(description=_("Show again"))
    def show(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        reviewing.hide(queryset, False)


@admin.register(Retirement)
class RetirementAdmin(ReadOnly):
    """Announces that a model or a version will go, and takes that back."""

    list_display = ("model", "version", "ends_at", "successor", "reason")
    list_select_related = ("model__publisher", "version__model__publisher", "successor__publisher")
    autocomplete_fields = ("model", "version", "successor")
    fields = ("model", "version", "ends_at", "successor", "reason")
    form = RetirementForm
    actions = ("withdraw",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("marketplace.add_retirement"))

    def save_model(self, request: HttpRequest, obj: Retirement, form: Any, change: bool) -> None:
        made = retiring.announce(
            obj.model, obj.version, obj.ends_at, timezone.now(), reason=obj.reason, successor=obj.successor
        )
        obj.pk, obj._state.adding = made.pk, False

    @admin.action(description=_("Take back: it stays, and who was told is told so"))
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Retirement]) -> None:
        for retirement in queryset.select_related("model__publisher", "version"):
            retiring.withdraw(retirement)

"""Replicas and how they do in the operators' console: added, drained and removed while requests run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from inference.engines import registry
from inference.models import Figures, Replica
from inference.routing import figures, replicas
from marketplace.models import Split
from portal.kit.errors import Problem


class LiveFigures(ModelAdmin):  # type: ignore[misc] # unfold publishes no types
    """Columns that tell how a row did in the last hour."""

    list_per_page = 50

    def summary(self, row: Any) -> figures.Summary:
        """The row's figures, read once."""
        if not hasattr(row, "live_summary"):
            now = timezone.now()
            row.live_summary = figures.of(row.version.model.slug, now - timedelta(hours=1), now, **self.which(row))
        found: figures.Summary = row.live_summary
        return found

    def which(self, row: Any) -> dict[str, str]:
        """What of its model the row is; all of it, unless a subclass knows better."""
        return {}

    @admin.display(description=_("requests (1 h)"))
    def asked(self, row: Any) -> int:
        return self.summary(row).asked

    @admin.display(description=_("failed (1 h)"))
    def failed(self, row: Any) -> int:
        return self.summary(row).failed

    @admin.display(description="p50 · p95 · p99 (ms)")
    def latency(self, row: Any) -> str:
        found = self.summary(row)
        return " · ".join(f"{ms:,.1f}" for ms in (found.p50, found.p95, found.p99) if ms is not None) or "–"

    @admin.display(description=_("tokens a second"))
    def tokens(self, row: Any) -> str:
        found = self.summary(row).tokens_a_second
        return f"{found:,.1f}" if found else "–"


class ReplicaForm(forms.ModelForm):  # type: ignore[type-arg] # generic for the type checker only
    """A new place for a version; one that is known already takes work again."""

    engine = forms.ChoiceField(
        label=_("Engine"),
        required=False,
        choices=[("", _("the version's own")), *((name, name) for name in registry.ENGINES)],
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Replica
        fields: ClassVar[list[str]] = ["version", "target", "engine"]

    def clean(self) -> None:
        given = self.cleaned_data
        if given.get("version") and "target" in given:
            try:
                given["target"] = replicas.checked(given["version"], given["target"], given.get("engine", ""))
            except Problem as problem:
                self.add_error("target", problem.message)
            else:  # a place that is there already is no mistake: see replicas.add
                known = Replica.objects.filter(version=given["version"], target=given["target"]).first()
                self.instance = known or self.instance


@admin.register(Replica)
class ReplicaAdmin(LiveFigures):
    form = ReplicaForm
    list_display = ("version", "target", "engine", "state", "asked", "failed", "latency", "tokens")
    list_filter = ("state",)
    list_select_related = ("version__model__publisher",)
    search_fields = ("target", "version__model__name")
    autocomplete_fields = ("version",)
    fields = ("version", "target", "engine")
    actions = ("activate", "drain", "remove")

    def which(self, row: Replica) -> dict[str, str]:
        return {"replica": row.pk}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if not change:
            form.base_fields["target"].help_text = _(
                "A server's address, or for tensorflow a folder of the models' folder. A version without replicas runs "
                "at its own source; its first replica takes that place, so add the source too where it shall stay."
            )
        return form

    def save_model(self, request: HttpRequest, obj: Replica, form: Any, change: bool) -> None:
        made = replicas.add(obj.version, obj.target, obj.engine)
        obj.pk, obj._state.adding = made.pk, False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and bool(super().has_change_permission(request))  # actions change; a place stays what it is

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # figures and usage refer to it

    @admin.action(description=_("Take work again"))
    def activate(self, request: HttpRequest, queryset: QuerySet[Replica]) -> None:
        for replica in queryset.select_related("version"):
            try:
                replicas.add(replica.version, replica.target, replica.engine)
            except Problem as problem:
                self.message_user(request, problem.message, messages.ERROR)

    @admin.action(description=_("Drain"))
    def drain(self, request: HttpRequest, queryset: QuerySet[Replica]) -> None:
        for replica in queryset:
            replicas.drain(replica)

    @admin.action(description=_("Remove"))
    def remove(self, request: HttpRequest, queryset: QuerySet[Replica]) -> None:
        for replica in queryset:
            replicas.remove(replica)


@admin.register(Split)
class SplitAdmin(LiveFigures):
    """The versions that share a model's calls and how each does; the shares are changed on the model's page."""

    list_display = ("model", "number", "weight", "share", "asked", "failed", "latency", "tokens")
    list_select_related = ("model__publisher", "version__model__publisher")
    list_filter = ("model",)
    list_display_links = None
    ordering = ("model", "version__number")

    def which(self, row: Split) -> dict[str, str]:
        return {"version_id": row.version_id}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Split]:
        shares = Split.objects.filter(model=OuterRef("model")).order_by().values("model")
        found: QuerySet[Split] = super().get_queryset(request)
        return found.annotate(whole=Subquery(shares.annotate(whole=Sum("weight")).values("whole")))

    @admin.display(description=_("version"), ordering="version__number")
    def number(self, row: Split) -> str:
        return f"v{row.version.number}"

    @admin.display(description=_("share"))
    def share(self, row: Any) -> str:
        return f"{100 * row.weight / max(row.whole, 1):.1f} %"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Figures)
class FiguresAdmin(ModelAdmin):  # type: ignore[misc] # as above
    list_display = ("model", "replica", "since", "served", "failed", "missed", "half_below_ms", "most_below_ms")
    search_fields = ("model",)
    date_hierarchy = "since"

    @admin.display(description="p50 (ms)")
    def half_below_ms(self, row: Figures) -> str:
        return f"{figures.percentile(row.latencies, 0.5) or 0:.1f}"

    @admin.display(description="p99 (ms)")
    def most_below_ms(self, row: Figures) -> str:
        return f"{figures.percentile(row.latencies, 0.99) or 0:.1f}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

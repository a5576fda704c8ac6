"""People, workspaces and keys in the operators' console."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from portal.accounts.keys.issuing import revoke
from portal.accounts.models import Key, Mail, Membership, User, Workspace


class MembershipInline(TabularInline):  # type: ignore[misc] # unfold publishes no types
    model = Membership
    extra = 0
    autocomplete_fields = ("user", "workspace")


@admin.register(User)
class UserAdmin(ModelAdmin):  # type: ignore[misc] # as above
    list_display = ("email", "name", "is_staff", "is_active", "date_joined", "last_login")
    list_filter = ("is_staff", "is_active")
    search_fields = ("email", "name")
    ordering = ("-date_joined",)
    readonly_fields = ("email", "date_joined", "last_login")
    fields = ("email", "name", "language", "is_active", "is_staff", "is_superuser", "date_joined", "last_login")
    inlines = (MembershipInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # people sign up, or `manage.py create_account` makes them


@admin.register(Workspace)
class WorkspaceAdmin(ModelAdmin):  # type: ignore[misc] # as above
    list_display = ("slug", "name", "personal_of", "created_at")
    search_fields = ("slug", "name", "memberships__user__email")
    readonly_fields = ("id", "personal_of", "created_at")
    inlines = (MembershipInline,)


@admin.register(Key)
class KeyAdmin(ModelAdmin):  # type: ignore[misc] # as above
    list_display = ("name", "hint", "kind", "workspace", "rpm", "created_at", "expires_at", "revoked_at")
    list_filter = ("kind", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "hint", "workspace__slug")
    list_select_related = ("workspace",)
    readonly_fields = ("id", "workspace", "created_by", "hint", "created_at", "revoked_at")
    fields = (
        "name", "rpm", "tpm", "concurrency", "scopes", "allowed_models", "networks", "expires_at",
        "workspace", "created_by", "hint", "created_at", "revoked_at",
    )  # fmt: skip
    actions = ("revoke_keys",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a key is shown once, to its owner

    def has_delete_permission(self, request: HttpRequest, obj: Key | None = None) -> bool:
        return False  # usage refers to it

    @admin.action(description=_("Revoke"))
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[Key]) -> None:
        for key in queryset:
            revoke(key)


@admin.register(Mail)
class MailAdmin(ModelAdmin):  # type: ignore[misc] # as above
    list_display = ("created_at", "to", "subject", "sent_at", "attempts")
    list_filter = (("sent_at", admin.EmptyFieldListFilter),)
    search_fields = ("key", "to")
    ordering = ("-pk",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Mail | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Mail | None = None) -> bool:
        return False

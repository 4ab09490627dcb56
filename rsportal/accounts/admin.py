"""Accounts in the administration (superusers; curators have no rights here)."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from rsportal.accounts.models import ApiToken, User


class _ForThoseWhoMayLook:
    """Without the right to look, every row is as if it did not exist."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        return rows if self.has_view_or_change_permission(request) else rows.none()  # type: ignore[attr-defined]


@admin.register(User)
class UserAdmin(_ForThoseWhoMayLook, DjangoUserAdmin):
    """People. Give somebody the group "curator" and staff status to let them into this administration."""

    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    fieldsets = (*DjangoUserAdmin.fieldsets, (_("Portal"), {"fields": ("language",)}))  # type: ignore[misc]


@admin.register(ApiToken)
class ApiTokenAdmin(_ForThoseWhoMayLook, admin.ModelAdmin):
    """Keys of programs: who, for what, until when. Deleting one revokes it; the key itself is not kept."""

    list_display = ("name", "user", "created", "expiry")
    list_select_related = ("user",)
    list_filter = ("expiry",)
    search_fields = ("name", "user__username")
    fields = ("name", "user", "created", "expiry")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

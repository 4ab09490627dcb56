"""What third-party apps show in the administration: little, read-only, to superusers."""

import axes.admin
import django_q.admin
import knox.admin  # noqa: F401  (registers its model, which is taken out again below)
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.http import HttpRequest
from django_q.models import Failure, OrmQ, Schedule, Success
from knox.models import AuthToken


class _SuperuserReads:
    """Superusers look; nobody changes anything here."""

    actions = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class SuccessAdmin(_SuperuserReads, django_q.admin.TaskAdmin):
    """Tasks that ended well. Running one again goes through the jobs, which count attempts."""


class FailureAdmin(_SuperuserReads, django_q.admin.FailAdmin):
    """Tasks that raised, with the traceback."""


class AttemptAdmin(_SuperuserReads, axes.admin.AccessAttemptAdmin):
    """Failed log-ins that count towards a lock; deleting one lifts the lock."""

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_module_permission(request)


# The queue's own table, its schedules, the log of every log-in and knox's unused token model are noise here.
for model in (OrmQ, Schedule, Success, Failure, AccessAttempt, AccessFailureLog, AccessLog, AuthToken):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
admin.site.register(Success, SuccessAdmin)
admin.site.register(Failure, FailureAdmin)
admin.site.register(AccessAttempt, AttemptAdmin)

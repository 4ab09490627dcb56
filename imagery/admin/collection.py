"""Collections and their members in the administration."""

from django.contrib import admin

from imagery.admin.base import PermittedAdmin
from imagery.models import Collection


@admin.register(Collection)
class CollectionAdmin(PermittedAdmin):
    """Collections."""

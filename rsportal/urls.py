"""Every address of the portal."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("rsportal.accounts.urls")),
]

handler500 = "rsportal.error_views.server_error"

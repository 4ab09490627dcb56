"""Every address of the portal."""

from django.contrib import admin
from django.urls import include, path

from rsportal import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("", include("search.urls")),
    path("", include("imagery.urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include("rsportal.accounts.urls")),
    path("api/v1/", include("rsportal.api_urls")),
]

handler500 = "rsportal.error_views.server_error"
